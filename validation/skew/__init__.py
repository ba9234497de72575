"""The skew audit (``python -m validation.skew``): compares served feature matrices with the log, bit for bit.

Imports feature_repo and infra.
"""
