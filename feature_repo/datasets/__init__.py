"""Adapters: each turns one source into the canonical log. ``python -m feature_repo.datasets NAME --out DIR``."""
