"""Checks of data: the gates of the pipeline and the skew audit. Imports infra and feature_repo."""
