"""The batch: which users to recommend to, what to each, as a file or in a database, and how good it was."""
