"""The newest moment of a score on its way to Redis; what a service writes of it is in test_api."""

from infra import redis_keys
from infra.redis_server import endpoint
from serving.newest_score import NewestScore
from tests.serving.test_workers import until


def test_the_newest_score_is_written_again_after_the_connection_was_lost(settings):
    key, newest = redis_keys.newest_score_us(settings.dataset), NewestScore(settings, period_s=0.02)
    with endpoint(settings).client() as redis_client:
        redis_client.delete(key)
        newest.start()
        for moment in (1, 2):
            newest.note(moment)
            until(lambda moment=moment: int(redis_client.get(key) or 0) == moment)
            lost = [each["id"] for each in redis_client.client_list() if each["cmd"] == "eval"]
            assert [redis_client.client_kill_filter(_id=its) for its in lost] >= [1]
        newest.close()
