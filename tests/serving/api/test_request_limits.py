"""What exceeds a limit of a request is refused with the name of its field."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from infra.limits import EARLIEST, MAX_ITEMS, MAX_POSITION, MAX_PRICE, MAX_QUANTITY, MAX_TEXT_LENGTH


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_id": "u" * (MAX_TEXT_LENGTH + 1)}, "user_id"),
        ({"session_id": ""}, "session_id"),
        ({"context": {"store_id": "s" * (MAX_TEXT_LENGTH + 1)}}, "context.store_id"),
        ({"items": [{"item_id": f"i{i}"} for i in range(MAX_ITEMS + 1)]}, "items"),
        ({"items": [{"item_id": "a", "features": {"is_recommended": 2}}]}, "items.0.features.is_recommended"),
    ],
)
def test_score_refuses_what_exceeds_a_limit_by_its_field(
    client: TestClient, changes: dict[str, object], field: str
) -> None:
    answer = client.post("/score", json={"items": [{"item_id": "a"}], **changes})
    assert answer.status_code == 422
    assert [".".join(map(str, each["loc"])) for each in answer.json()["error"]["details"]] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"item_id": "i" * (MAX_TEXT_LENGTH + 1)}, "item_id"),
        ({"quantity": MAX_QUANTITY + 1}, "quantity"),
        ({"shown_position": MAX_POSITION + 1}, "shown_position"),
        ({"value": MAX_PRICE + 0.01}, "value"),
        ({"event_ts": (EARLIEST - timedelta(days=1)).isoformat()}, "event_ts"),
    ],
)
def test_events_refuses_what_exceeds_a_limit_by_its_field(
    client: TestClient, changes: dict[str, object], field: str
) -> None:
    sent = {"event_id": "e", "user_id": "u", "session_id": "s", "item_id": "a", "action": "order", **changes}
    (rejected,) = client.post("/events", json={"events": [sent]}).json()["rejected"]
    assert field in rejected["reason"]
