"""Jobs: when things happen. `runtime` knows all of them, and hands each what it needs; none opens a store."""
