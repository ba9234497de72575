"""Baselines for GRU4Rec. Each is fitted on the train sessions and is a next-item model. Imports sessions."""
