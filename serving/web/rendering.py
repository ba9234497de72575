"""Pages from Jinja templates, and the headers that each of them has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from serving.web.goods.items import money
from serving.web.goods.names import category_name
from serving.web.goods.tile_art import art

HERE = Path(__file__).parent
STATIC = HERE / "static"
HEADERS = {
    # Nothing inline, and nothing from another host.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Renderer:
    """``timezone``: in which times are shown."""

    def __init__(self, timezone: str, title: str) -> None:
        self._zone = ZoneInfo(timezone)
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "money": money,
            "category": category_name,
            "when": self._when,
            "ms": _milliseconds,
        }
        self._environment.globals |= {
            "art": art,
            "asset": _asset_version(),
            "sprite": Markup((HERE / "templates" / "sprite.svg").read_text()),
            "data_set": title,
        }

    def text(self, template: str, values: Mapping[str, Any]) -> str:
        return self._environment.get_template(template).render(**values)

    def page(self, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        return HTMLResponse(self.text(template, values), status)

    def _when(self, at: datetime) -> str:
        """``12 Nov 2017, 14:05``"""
        local = at.astimezone(self._zone)
        return f"{local.day} {local:%b %Y, %H:%M}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"


def _asset_version() -> str:
    """Of all static files together: their address changes with them, so a browser may keep them."""
    together = hashlib.blake2b(digest_size=6)
    for path in sorted(STATIC.iterdir()):
        together.update(path.read_bytes())
    return together.hexdigest()
