"""``python -m benchmarks.offline``: the point-in-time join and materialization beside other ways."""
