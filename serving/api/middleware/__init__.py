"""What every request passes before its endpoint: it is counted, its origin is checked, and it is admitted or refused.

Classes that wrap an ASGI app, and what they need to decide. They know endpoints only by their paths.
"""
