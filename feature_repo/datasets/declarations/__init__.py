"""Declarations: the columns that each data set adds to the common ones, built in or read from ``dataset.json``."""
