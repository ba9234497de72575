"""Adapters: each module turns one source into the canonical log. ``python -m feature_repo.datasets NAME --out DIR``.

May import the schema and ``infra``. No feature is computed here.
"""
