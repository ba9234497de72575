"""How fast the marketplace's home page is, and pictures of its pages from a real browser."""
