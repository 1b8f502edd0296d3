"""The benchmarks: Perdure, DBOS and the bare database in turn, on the same database settings. See README.md here."""
