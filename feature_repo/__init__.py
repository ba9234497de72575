"""The Feast repository: the schema, the Feast objects, and all code that training and serving share.

May import ``infra`` only. A computation that both training and serving need belongs here.
"""
