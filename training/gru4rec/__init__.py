"""The next-item model GRU4Rec: its commands, their settings and folders, and the protocol of a next-item model.

Subfolders import only earlier ones: sessions -> network -> baselines, evaluation -> fitting -> export.
"""
