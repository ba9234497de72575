"""The online store: Feast's Redis layout, written in bulk. For each key and view the newest row wins.

May import the schema, ``redis_format`` and ``infra``. Reading belongs to the service, not here.
"""
