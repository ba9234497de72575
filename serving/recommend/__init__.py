"""Recommending without a list: candidates from the sources, the ranker of stage two, the shop's rules, similar items.

It may import score and the rooms below it; HTTP belongs to api.
"""
