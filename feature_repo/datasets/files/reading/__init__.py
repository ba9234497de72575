"""The user's files -> rows with the columns that the mapping names, checked but not completed."""
