"""What a worker does for all: each duty is one file, and one line in the runtime."""
