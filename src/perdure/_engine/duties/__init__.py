"""What a worker does for all: each duty is one file, made and done in `parts`."""
