"""Feast's offline store plugin: the point-in-time join as DuckDB's ASOF JOIN.

May import the schema and ``infra``.
"""
