"""Fitting LambdaMART with a correction for position bias, and the training run. Imports evaluation, training_set."""
