"""Item rows held in the process, kept equal to Redis by Redis' own notices of change.

It may import redis_client; it knows Feast's key layout and nothing of requests.
"""
