"""Fits candidate sources on a log as it was known at a timestamp. What they answer is in feature_repo.candidates."""
