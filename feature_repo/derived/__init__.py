"""Derived features: what is computed from a slate when it is scored, one family per file, for training and serving.

A family reads a :class:`feature_repo.slate.Slate` and nothing else. It imports the slate, the schema and numpy only.
Beside the families, ``categories`` turns the strings of a slate into the codes of a vocabulary.
"""
