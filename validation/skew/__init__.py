"""The skew audit: what was served, held bit for bit against what the log says. ``python -m validation.skew``."""
