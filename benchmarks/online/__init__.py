"""``python -m benchmarks.online``: ``POST /score`` beside other stacks and the floor."""
