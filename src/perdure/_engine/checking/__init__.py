"""Whether this program's code can go on with the runs of a database: each is replayed, and nothing run or written."""
