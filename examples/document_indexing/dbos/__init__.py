"""The service on DBOS: durable execution as a library, as Perdure is, in its own words."""
