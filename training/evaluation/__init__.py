"""Evaluation of rankers: metrics, intervals, baselines, and the report of a run. Imports training_set."""
