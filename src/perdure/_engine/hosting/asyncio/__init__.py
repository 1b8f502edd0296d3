"""Async runs: tasks on an event loop."""
