"""What each feature family and candidate source is worth: the model fitted without it, on validation windows only."""
