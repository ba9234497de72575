"""The rules of the log, the feature tables and the training set, with their SQL. Does not import validation.gates."""
