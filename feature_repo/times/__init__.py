"""The times of a log: the unit that they were written in, and the split of slates by time.

Adapters, gates and training read them alike.
"""
