"""Bodies that have a process of their own: `attempt` asks, `processes` keeps them, `child` is what runs there."""
