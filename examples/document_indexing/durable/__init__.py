"""The same service with five lines changed: the work survives the process."""
