"""The surface: what users import from `perdure`, a file for each thing that they do."""
