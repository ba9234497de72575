"""Who looks at the shop in tests: a jar of cookies, and forms filled from the pages. All share one app and its loop."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx
from fastapi.testclient import TestClient

from feature_repo.live.acceptance import EventKeys
from feature_repo.live.event import LiveEvent, unpacked
from infra.redis_server.server import EVENTS, endpoint
from infra.settings import Settings

PASSWORD = "correct horse battery"


@dataclass
class Browser:
    """Does not follow redirects. ``client``: asks http://localhost."""

    client: TestClient
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self._ask("GET", path, **more)

    def post(self, path: str, **fields: str) -> httpx.Response:
        """A form of this browser's own page, with its token."""
        return self.post_as_sent(path, {"token": self.token(), **fields})

    def post_as_sent(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        return self._ask("POST", path, data=fields, headers=headers)

    def token(self) -> str:
        found = re.search(r'name="shop-token" content="([^"]+)"', self.get("/welcome").text)
        assert found
        return found[1]

    def shelf(self) -> list[dict[str, str]]:
        """The fields of each card's form on the home page, in order."""
        forms = re.findall(r'<form class="acts".*?</form>', self.get("/").text, re.DOTALL)
        return [dict(re.findall(r'name="(\w+)" value="([^"]*)"', unescape(form))) for form in forms]

    def visit(self, settings: Settings) -> list[LiveEvent]:
        """The accepted events of the session of this browser's visit, in the order of the stream."""
        user, session = self._user_and_session(settings)
        with endpoint(settings, EVENTS).client(5) as client:
            entries = client.xrange(EventKeys(settings.dataset).stream)
        found = [unpacked(entry[b"event"]) for _, entry in entries]
        return [each for each in found if (each.user_id, each.session_id) == (user, session)]

    def _user_and_session(self, settings: Settings) -> tuple[str, str]:
        from serving.web.database import Database

        database = Database(settings.shop_dir)
        try:
            row = database.row("SELECT user_id, session_id FROM visits WHERE token = ?", self.token())
        finally:
            database.close()
        assert row
        return row[0], row[1]

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        self.client.cookies = self.cookies
        answer = self.client.request(method, path, follow_redirects=False, **more)
        self.cookies = httpx.Cookies(self.client.cookies)
        self.client.cookies = httpx.Cookies()
        return answer
