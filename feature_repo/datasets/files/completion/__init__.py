"""What a canonical log needs and the files do not say: users, sessions, ids, times, slates and items.

Everything that is made is deterministic: the same rows in another order of the files give the same log. What is dropped
or mended is noted.
"""
