"""Eight generators of files in the shapes of public data sets, each with the truth it drew them from.

``python -m tests.shapes NAME --out FOLDER`` writes one and prints what an oracle that knows the truth scores.
"""
