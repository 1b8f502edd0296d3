"""One file for each way to have a connection: what `Transactions` does with it, and nothing of when or why."""
