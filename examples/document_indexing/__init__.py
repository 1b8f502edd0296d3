"""A document-indexing service, twice: as people write it today, and durable. See README.md."""
