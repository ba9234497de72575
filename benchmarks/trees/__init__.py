"""``python -m benchmarks.trees``: the compiled trees beside LightGBM and other ways to score trees."""
