"""Which endpoint a request is for, before it is routed."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Scope

from serving.api.endpoint import Endpoint


class EndpointPaths:
    """An endpoint with a parameter in its path has all paths that begin as its own does."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._whole = {(each.method, each.path): each for each in endpoints if not each.parameter}
        self._begun = [(each.method, each.path.split("{")[0], each) for each in endpoints if each.parameter]

    def find(self, scope: Scope) -> Endpoint | None:
        """``scope``: of an HTTP request. A HEAD request is for the endpoint of GET."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        found = self._whole.get((method, scope["path"]))
        if found is not None:
            return found
        return next((each for of, start, each in self._begun if of == method and scope["path"].startswith(start)), None)
