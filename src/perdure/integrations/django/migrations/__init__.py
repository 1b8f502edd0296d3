"""The app's migrations: Perdure's own tables have theirs, which the first of these applies."""
