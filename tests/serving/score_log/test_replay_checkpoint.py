"""The newest timestamp of a score is written to Redis. tests/serving/api/test_api.py tests it over HTTP."""

from types import SimpleNamespace

import redis

from infra.redis_server import keys as redis_keys
from infra.redis_server.server import endpoint
from serving.score_log import replay_checkpoint
from serving.score_log.replay_checkpoint import ReplayCheckpoint
from tests.serving.test_workers import until


class LostConnection:
    """Fails like a connection whose loss was not noticed."""

    def __init__(self) -> None:
        self.is_closed = False

    def eval(self, *_: object) -> None:
        raise redis.ConnectionError("lost")

    def close(self) -> None:
        self.is_closed = True


def test_redis_is_looked_up_again_only_after_the_connection_is_lost(settings, monkeypatch):
    key, lookups, lost = redis_keys.newest_score_us(settings.dataset), [], LostConnection()

    def endpoint_of(given):
        lookups.append(given)
        return SimpleNamespace(client=lambda: lost) if len(lookups) == 1 else endpoint(given)

    monkeypatch.setattr(replay_checkpoint, "endpoint", endpoint_of)
    newest = ReplayCheckpoint(settings, period_s=0.02)
    with endpoint(settings).client() as redis_client:
        redis_client.delete(key)
        newest.start()
        for timestamp in (1, 2, 3):
            newest.note(timestamp)
            until(lambda timestamp=timestamp: int(redis_client.get(key) or 0) == timestamp)
        assert (len(lookups), lost.is_closed) == (2, True)
        newest.note(4)
        newest.close()
        assert int(redis_client.get(key)) == 4
