"""The base of all other packages: settings, clock, progress, background work, models and Redis servers.

Imports only the standard library and third-party packages, nothing else of this project.
"""
