"""The journal: one commit for many runs."""
