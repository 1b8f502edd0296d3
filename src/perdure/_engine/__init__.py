"""Loops: when things happen. One background job per file; each is handed a store and never opens one."""
