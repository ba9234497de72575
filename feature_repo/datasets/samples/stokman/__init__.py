"""The sample of the adapter stokman: its catalog, the people who shop in it, their actions, and what was planted.

Only tests import it.
"""
