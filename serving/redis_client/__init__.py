"""The asyncio connection to Redis for reads and writes on a request's path. All else uses redis-py.

It knows Redis' protocol and nothing of features.
"""
