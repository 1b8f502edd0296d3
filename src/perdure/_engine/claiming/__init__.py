"""Which runs this worker holds: who begins, who is claimed, how claims end."""
