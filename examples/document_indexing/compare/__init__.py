"""`make compare`: the same service plain, on Perdure, on DBOS and on Temporal, through the same kills."""
