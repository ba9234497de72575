"""The parts of the adapter stokman: its files, people, sessions, items and vectors.

Only :mod:`feature_repo.datasets.stokman` imports them. May import the log writer, the schema and ``infra``.
"""
