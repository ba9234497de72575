"""The simulated shop behind the ``simulated`` adapter: its items, users and sessions as numpy arrays, without files."""
