"""Which files there are, how they are written, and a sample of their rows."""
