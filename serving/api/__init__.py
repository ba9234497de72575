"""HTTP: the app, its routes, the bodies they read and write, and the processes that serve them.

It may import every other room of serving; no other room imports it.
"""
