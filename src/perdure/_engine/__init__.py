"""Jobs: when things happen. `parts` knows all of them, and hands each what it needs; none opens a store."""
