"""The command line `perdure`: looks at runs, ends them, works, and says what is wrong, by the public surface alone."""
