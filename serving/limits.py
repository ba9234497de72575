"""The largest request that the API accepts."""

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_DEADLINE_MS = 60_000
MAX_TEXT_LENGTH = 200  # of an id, a name, a context value
MAX_ITEMS = 2_000  # candidates of one list
MAX_EVENTS = 1_000  # of one body
MAX_FLOAT32 = 3.4028234663852886e38
