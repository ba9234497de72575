"""The batch: who gets a list, what is on it, and where it is written."""
