"""One run of a node: its inputs, its work in threads, what it shows."""
