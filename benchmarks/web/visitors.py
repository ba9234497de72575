"""Visitors of the marketplace without a browser: each comes in as a user of the log, and asks for the home page."""

from __future__ import annotations

import http.client
import re
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

COOKIE = re.compile(r"shop_visit=[^;]+")
TOKEN = re.compile(r'name="shop-token" content="([^"]+)"')


def requests_of_visitors(url: str, users: Sequence[str]) -> list[bytes]:
    """One whole HTTP request for the home page per user, with the cookie of a visit. Raises RuntimeError."""
    host = urlsplit(url).netloc
    return [f"GET / HTTP/1.1\r\nhost: {host}\r\ncookie: {come_in(host, user)}\r\n\r\n".encode() for user in users]


def come_in(host: str, user_id: str) -> str:
    """The cookie of a visit as this user. Raises RuntimeError where the shop does not let the user in."""
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("GET", "/welcome")
        welcome = connection.getresponse()
        cookie, token = COOKIE.search(welcome.headers["set-cookie"] or ""), TOKEN.search(welcome.read().decode())
        if cookie is None or token is None:
            raise RuntimeError("the welcome page has no cookie or no token")
        body = urlencode({"token": token[1], "user_id": user_id})
        headers = {"cookie": cookie[0], "content-type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/act-as", body, headers)
        answer = connection.getresponse()
        answer.read()
        found = COOKIE.search(answer.headers["set-cookie"] or "")
        if answer.status != 303 or found is None:
            raise RuntimeError(f"the shop answers {answer.status} to the user {user_id}")
        return found[0]
    finally:
        connection.close()


def is_home_page(status: int, body: bytes) -> bool:
    """A shelf of the ranker, made with the feature store."""
    is_whole = b'data-degraded="false"' in body and b'data-ordering="ranker"' in body
    return status == 200 and is_whole and b'data-item="' in body
