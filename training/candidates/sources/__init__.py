"""The fitting of each kind of candidate source: fit(log, params). They do not import each other."""
