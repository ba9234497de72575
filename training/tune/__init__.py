"""Searches the parameters of the ranker, the recommender and the buyer model on validation windows."""
