"""Side-by-side measurements: each prints a table, and JSON with ``--json``. It may import every package."""
