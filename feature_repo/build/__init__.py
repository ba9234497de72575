"""Builds the feature tables from the canonical log: one module per feature view. ``python -m feature_repo.build``.

May import the schema, the log and ``infra``. Only computations of stored features belong here.
"""
