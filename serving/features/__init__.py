"""A slate's stored features: read from Redis on the request's path, and by Feast's SDK to compare with.

It may import item_cache and redis_client; it knows nothing of models and HTTP.
"""
