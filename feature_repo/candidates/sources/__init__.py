"""The kinds of candidate sources: what each reads, and how it scores. They do not import each other."""
