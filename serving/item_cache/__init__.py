"""Item rows cached in the process. Redis reports which rows change, and these are read again.

It may import redis_client; it knows Feast's key layout and nothing of requests.
"""
