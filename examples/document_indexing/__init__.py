"""A document-indexing service: as people write it today, durable, on DBOS, and on Temporal. See README.md."""
