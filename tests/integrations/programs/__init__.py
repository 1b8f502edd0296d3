"""Programs that the tests of integrations start."""
