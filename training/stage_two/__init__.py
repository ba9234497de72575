"""Trains the ranker of recommendations: rolling windows, their candidates with features, and the model recommend-NAME."""
