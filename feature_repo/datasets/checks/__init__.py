"""Checks of a user's own log, before anything is written: columns, values, keys and slates.

The adapters ``parquet`` and ``files`` share them. They read relations that also have the columns FILE and ROW of
:mod:`feature_repo.datasets.checks.values`, so that each message names where it was found.
"""
