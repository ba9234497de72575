"""The feature review: what each model input covers, is worth, costs when serving, and how it drifts.

Reads a training set, a trained ranker and test slates; changes nothing.
"""
