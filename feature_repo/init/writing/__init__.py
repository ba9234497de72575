"""params/NAME.yaml, its dataset.json, and the printed page. What the user edited in them stays."""
