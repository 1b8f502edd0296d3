"""One durable operation per file, each a flow: it asks for what must happen, and a host answers."""
