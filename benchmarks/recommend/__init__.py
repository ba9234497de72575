"""``GET /recommend`` beside the straightforward stack: ``python -m benchmarks.recommend``."""
