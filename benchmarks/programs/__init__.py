"""One program per shape and contestant, each started anew for every measurement; see `benchmarks.program`."""
