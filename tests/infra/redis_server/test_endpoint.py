"""Endpoints: what redis-py and Feast make of them, and URLs that are refused."""

from __future__ import annotations

import socket
import time

import pytest
import redis
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig

from infra.redis_server.endpoint import BadRedisUrl, Endpoint, parse_url


def test_feast_parses_the_connection_string_to_the_same_endpoint() -> None:
    at = parse_url("rediss://me:p%3Dw@cache:6380/2", 0.5)
    nodes, arguments = RedisOnlineStore._parse_connection_string(at.feast_connection_string)
    assert nodes == [{"host": "cache", "port": "6380"}]
    assert arguments == {
        "db": 2,
        "username": "me",
        "password": "p=w",
        "ssl": True,
        "socket_timeout": 0.5,
        "socket_connect_timeout": 0.5,
        "retry": None,
    }


def test_a_connection_to_a_redis_that_does_not_run_fails_within_the_timeout() -> None:
    """By default redis-py retries for seconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = Endpoint("127.0.0.1", probe.getsockname()[1])
    feast = RedisOnlineStoreConfig(connection_string=away.feast_connection_string)
    for connected in (away.client(), RedisOnlineStore()._get_client(feast)):
        started = time.monotonic()
        with pytest.raises(redis.ConnectionError):
            connected.ping()
        assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("url", ["redis://cache:6380/2", "rediss://me:p%3Dw@cache:6380/2", "redis://:secret@cache:1/0"])
def test_a_parsed_url_is_written_as_it_was(url: str) -> None:
    assert parse_url(url, 0.5).url == url


def test_a_password_is_in_no_message() -> None:
    at = parse_url("redis://me:secret@cache/0", 0.5)
    assert "secret" not in repr(at)
    assert "secret" not in at.address


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://cache", "http"),
        ("redis://cache:port/0", "port"),
        ("redis://:0", "host"),
        ("redis://[::1]:6379/0", "IPv6"),
        ("redis://cache/first", "first"),
        ("redis://cache/0?timeout=1", "query"),
        ("redis://:a%2Cb@cache/0", "comma"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(BadRedisUrl, match=reason):
        parse_url(url, 0.5)
