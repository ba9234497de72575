"""Trains the ranker of recommendations: rolling windows, their candidates with features, the model recommend-NAME."""
