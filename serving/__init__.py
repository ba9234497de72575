"""The scorer: HTTP in, ranked lists out. It reads Redis and the model registry.

It imports infra and feature_repo only. Inside, imports go one way: api -> events, score -> features -> item_cache ->
redis_client. ``errors``, ``limits``, ``metrics``, ``ttl`` and ``score_log`` may be imported by all of them.
"""
