"""How a run executes here: it begins, its flows are answered, it leaves."""
