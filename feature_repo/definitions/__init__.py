"""What the modules of this Feast repository are written with and read into; the definitions themselves stand beside it.

fields      a Feast Field in one line, with its unit and range
data_set    the data set that the definitions are for: its files and its own columns
repo        executes the modules as ``feast apply`` does
views       what is defined, as build, gates, training and serving read it
"""
