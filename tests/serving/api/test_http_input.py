"""Bodies that come compressed."""

from __future__ import annotations

import gzip
import json
from uuid import uuid4

import pytest

from infra.limits import MAX_BODY_BYTES
from serving.api.http_input import Gunzip
from serving.errors import InvalidRequest

SCORE = {"user_id": "u", "session_id": "s", "items": [{"item_id": i} for i in "abc"]}
BOMB = gzip.compress(b" " * (64 << 20))  # 64 MiB in 64 kB


def events():
    return {"events": [{"event_id": uuid4().hex, "user_id": "u", "session_id": "zip", "action": "visit"}]}


def post(client, content, encoding="gzip", path="/score"):
    headers = {"content-type": "application/json", "content-encoding": encoding}
    return client.post(path, content=content, headers=headers)


def packed(body):
    return gzip.compress(json.dumps(body).encode())


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_a_gzipped_list_gets_the_scores_of_the_plain_one(client, encoding):
    plain = client.post("/score", json=SCORE).json()["items"]
    assert post(client, packed(SCORE), encoding).json()["items"] == plain
    assert post(client, json.dumps(SCORE).encode(), "identity").json()["items"] == plain


def test_every_endpoint_with_a_body_takes_gzip(client):
    assert post(client, packed(SCORE), path="/explain").status_code == 200
    answer = post(client, packed(events()), path="/events")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)


def test_a_gzipped_body_may_arrive_in_pieces(client):
    content = packed(SCORE)
    assert post(client, (content[i : i + 7] for i in range(0, len(content), 7))).status_code == 200


@pytest.mark.parametrize("path", ["/score", "/explain", "/events"])
def test_a_body_that_unpacks_to_more_than_the_limit_is_refused(client, path):
    answer = post(client, BOMB, path=path)
    assert len(BOMB) < MAX_BODY_BYTES / 10
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "body_too_large")


def test_no_more_is_unpacked_than_one_byte_beyond_the_limit():
    assert len(Gunzip().feed(BOMB, 1000)) == 1001


def test_the_limit_itself_is_unpacked(client):
    content = json.dumps(SCORE).encode()
    whole = content + b" " * (MAX_BODY_BYTES - len(content))
    assert post(client, gzip.compress(whole)).status_code == 200
    assert post(client, gzip.compress(whole + b" ")).status_code == 413


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", packed(SCORE)[:-1], packed(SCORE)[:-9] + b"00000000" + b"x", packed(SCORE) * 2, packed(SCORE) + b"{}"],
    ids=["empty", "plain", "truncated", "another checksum", "two streams", "more behind it"],
)
def test_what_is_not_one_whole_gzip_stream_is_refused(client, content):
    answer = post(client, content)
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "invalid_request")
    assert "gzip" in answer.json()["error"]["details"][0]["message"]


def test_a_stream_that_ends_early_is_never_whole():
    unpack = Gunzip()
    unpack.feed(packed(SCORE)[:-1], 10_000)
    assert not unpack.is_whole
    with pytest.raises(InvalidRequest):
        unpack.feed(b"\xff" * 10, 10_000)


@pytest.mark.parametrize(
    ("encoding", "named"), [("br", "br"), ("deflate", "deflate"), ("zstd", "zstd"), ("gzip, br", "of this request")]
)
def test_another_encoding_is_refused_by_its_name(client, encoding, named):
    answer = post(client, packed(SCORE), encoding)
    assert (answer.status_code, answer.json()["error"]["type"]) == (415, "wrong_content_encoding")
    assert f"content-encoding {named} is not understood" in answer.json()["error"]["message"]
    assert answer.headers["accept-encoding"] == "gzip"
