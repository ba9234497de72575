"""Feature tables from the canonical log, one module per feature view. ``python -m feature_repo.build``."""
