"""Feast's offline store as DuckDB's ASOF JOIN."""
