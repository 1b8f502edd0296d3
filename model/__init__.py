"""The project's own model of the protocol, not shipped: `make model`, and bounded in `tests/model`. See README.md."""
