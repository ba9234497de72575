"""The gates: they check a data set by rules, run the rules as Great Expectations suites, and write reports.

Imports feature_repo and infra.
"""
