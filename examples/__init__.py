"""Programs that show what Perdure is for."""
