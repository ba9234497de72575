"""The Redis servers: their addresses, their keys, and the embedded server's life. Clients of Redis are elsewhere.

Imports only infra.settings.
"""
