"""The entries of the mapping: one module for each table of the log, and events made of lists."""
