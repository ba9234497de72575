"""Training: the training set, the ranker and its evaluation, and the next-item model. Imports infra and feature_repo.

Folders import only earlier ones: training_set -> evaluation -> ranker. gru4rec imports none of them.
"""
