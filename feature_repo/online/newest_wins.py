r"""The rule of every write, as a Lua script that Redis runs atomically: per key and view, the newest row wins.

Rows are ordered by (event timestamp, created timestamp). A row is written if no row is stored or if it is not older
than the stored one. A row with equal timestamps is written again, so that a column that was added to the view gets its
values. For that reason a correction needs a newer created timestamp. A row is written completely or not at all.

Feast stores only the event timestamp, in the field ``_ts:<view>``. This script stores one more field, ``_ct:<view>``:
the created timestamp (8 bytes that sort like the number, zeros if it is unknown), followed by the ``_ts`` it belongs
to. If this differs from the field ``_ts``, another client has written the row. Then the created timestamp is unknown,
which is older than any known one. (Feast's ``skip_dedup`` can rewrite a row without changing ``_ts``; the script cannot
detect that.)

The script compares numbers below 2**53, because Lua's numbers are exact only in this range: seconds, microseconds of
the second, and halves of the created timestamp. It does not compare strings, because Lua's ``<`` depends on the locale.

Most of the time is spent on passing strings between Redis and Lua. So a row is one string, which ``struct.unpack``
splits, and the arguments of HSET are written out.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha1

RUN = 50  # max features per unpack and HSET: they must fit into the registers of a Lua function

_SCRIPT = r"""
-- KEYS: the hash of each row.
-- ARGV: fields of the event and the created timestamp; seconds until a written key expires (0: never); the features'
-- fields; struct formats of the two timestamps and of each run of features; then each row, packed.
local A, call, unpack, byte, sub = ARGV, redis.call, struct.unpack, string.byte, string.sub
local UNKNOWN = '\0\0\0\0\0\0\0\0'

-- A serialized protobuf Timestamp -> whole seconds and microseconds. A negative number has 64 bits, here 35 + 29.
local function parse(ts)
  local seconds, micros, i = 0, 0, 1
  while i <= #ts do
    local tag, low, high, scale, groups, b = byte(ts, i), 0, 0, 1, 0, 0
    repeat
      i, groups = i + 1, groups + 1
      if groups == 6 then scale = 1 end
      b = byte(ts, i) or 0
      if groups < 6 then low = low + b % 128 * scale else high = high + b % 128 * scale end
      scale = scale * 128
    until b < 128
    i = i + 1
    if high >= 268435456 then high = high - 536870912 end
    local value = low + high * 34359738368
    if tag == 8 then seconds = value elseif tag == 16 then micros = math.floor(value / 1000) end
  end
  return seconds, micros
end

local function is_older(ts, created, stored_ts, stored_stamp)
  if ts ~= stored_ts then
    local seconds, micros = parse(ts)
    local stored_seconds, stored_micros = parse(stored_ts)
    if seconds ~= stored_seconds then return seconds < stored_seconds end
    if micros ~= stored_micros then return micros < stored_micros end
  end
  local stored = UNKNOWN
  if stored_stamp and #stored_stamp >= 8 and sub(stored_stamp, 9) == stored_ts then stored = sub(stored_stamp, 1, 8) end
  if created == stored then return false end
  local high, low = unpack('>I4I4', created)
  local stored_high, stored_low = unpack('>I4I4', stored)
  if high ~= stored_high then return high < stored_high end
  return low < stored_low
end

local expiry = tonumber(A[3])
local written = 0
for k = 1, #KEYS do
  local key, row = KEYS[k], A[<rows> + k]
  local ts, created, p = unpack(A[<formats>], row)
  local old = call('HMGET', key, A[1], A[2])
  if not old[1] or not is_older(ts, created, old[1], old[2]) then
<writes>
    if expiry > 0 then call('EXPIRE', key, expiry) end
    written = written + 1
  end
end
return written
"""
_FIRST_FEATURE = 4  # index in ARGV of the first feature's field


def runs(features: int) -> list[range]:
    """The features in runs of at most RUN. Without features there is one empty run."""
    return [range(first, min(first + RUN, features)) for first in range(0, max(features, 1), RUN)]


@lru_cache
def script(features: int) -> str:
    """The Lua text for rows with this number of features."""
    formats = _FIRST_FEATURE + features
    writes = [_write(run, formats + 1 + position) for position, run in enumerate(runs(features))]
    text = _SCRIPT.replace("<formats>", str(formats)).replace("<rows>", str(formats + len(writes)))
    return text.replace("<writes>", "\n".join(writes))


def _write(run: range, format_index: int) -> str:
    names = [f"v{feature}" for feature in run]
    fields = [f"A[{_FIRST_FEATURE + feature}], v{feature}" for feature in run]
    timestamps = ["A[1], ts, A[2], created .. ts"] if run.start == 0 else []
    unpacked = f"local {', '.join([*names, 'rest'])} = unpack(A[{format_index}], row, p)"
    return f"    do {unpacked}; p = rest; call('HSET', key, {', '.join(timestamps + fields)}) end"


@lru_cache
def digest(features: int) -> str:
    """The script's SHA1 digest, for EVALSHA."""
    return sha1(script(features).encode(), usedforsecurity=False).hexdigest()
