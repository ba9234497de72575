"""Candidate sources: from what is known of a user and a session to the items worth ranking.

Training and serving ask the same code. Fitting a source is in training.candidates; what it learnt is read here.
"""
