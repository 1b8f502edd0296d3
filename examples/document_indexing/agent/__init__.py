"""The durable service with an agent: it answers over the index, and asks a person before it deletes a document."""
