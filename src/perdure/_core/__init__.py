"""Rules: what happens to a run. Functions and small objects of values; no I/O, no threads, no clock."""
