"""``python -m benchmarks.events``: ``POST /events`` beside another stack and the floor."""
