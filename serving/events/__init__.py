"""``POST /events``: from a body to events on disk, and to the features of their sessions.

It may import features and the rooms below it.
"""
