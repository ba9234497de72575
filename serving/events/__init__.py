"""``POST /events`` and ``POST /items``: from a body to events and changes on disk, and to the features of sessions and
items.

It may import features and the rooms below it.
"""
