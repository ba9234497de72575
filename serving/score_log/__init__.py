"""What was scored, on disk: records leave the scorer through a queue, and another process writes them.

It imports nothing of serving but metrics, and may be imported by api.
"""
