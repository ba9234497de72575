"""The training set: slates with labels and point-in-time features, its split by time, its recipe and its reader.

Imports no other folder of training.
"""
