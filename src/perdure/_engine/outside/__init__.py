"""The side of a database of a process that executes nothing there: it makes runs, waits for them, and asks."""
