"""Live data: accepted events on their way into sessions and into the log, and the files of the score log.

May import the schema, the session fold, ``online`` and ``infra``.
"""
