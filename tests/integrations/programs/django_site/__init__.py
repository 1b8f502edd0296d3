"""A Django project: its settings take the database from the environment."""
