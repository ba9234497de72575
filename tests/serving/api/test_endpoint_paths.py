from __future__ import annotations

import pytest
from fastapi import Response

from serving.api.endpoint import Endpoint
from serving.api.endpoint_paths import EndpointPaths


async def nothing(_):
    return Response()


SCORE, ASK, ASK_OF = (
    Endpoint(method, path, nothing)
    for method, path in (("POST", "/score"), ("POST", "/recommend"), ("GET", "/recommend/{user_id}"))
)
PATHS = EndpointPaths([SCORE, ASK, ASK_OF])


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("POST", "/score", SCORE),
        ("POST", "/recommend", ASK),
        ("GET", "/recommend/u/1", ASK_OF),
        ("HEAD", "/recommend/u", ASK_OF),
        ("GET", "/score", None),
        ("POST", "/recommend/u", None),
        ("GET", "/recommended", None),
    ],
)
def test_a_request_is_for_the_endpoint_of_its_method_and_path(method, path, found):
    assert PATHS.find({"method": method, "path": path}) is found


def test_a_path_tells_its_parameter_and_its_route_takes_slashes():
    assert (SCORE.parameter, ASK_OF.parameter) == (None, "user_id")
    assert (SCORE.route.path, ASK_OF.route.path) == ("/score", "/recommend/{user_id:path}")
