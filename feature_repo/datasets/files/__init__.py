"""The adapter ``files``: a user's own files, in their own shape, read by a mapping that params/NAME.yaml holds."""
