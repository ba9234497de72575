"""``python -m benchmarks.materialization``: materialization into Redis beside Feast's own and the server alone."""
