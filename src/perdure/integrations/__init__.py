"""Perdure in other people's frameworks, by its public names alone; each module an extra, imported by who uses it."""
