"""Sync runs: a thread each."""
