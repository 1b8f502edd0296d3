"""The service as people write it today: a thread pool, and work that dies with the process."""
