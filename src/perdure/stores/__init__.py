"""Rows: how runs and checkpoints are kept and found. One protocol, one package per database, the same query names."""
