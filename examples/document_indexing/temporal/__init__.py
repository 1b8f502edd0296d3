"""The service on Temporal: an API that is a client, a worker with workflows and an activity, and Temporal's server."""
