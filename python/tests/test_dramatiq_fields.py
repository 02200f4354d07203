"""What is under the signature of a message of Dramatiq: every field, and every option that steers."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq.brokers.stub import StubBroker

from conftest import wait_until
from dramatiq_kit import Shop, signing, with_results

if TYPE_CHECKING:
    import brine

PAGE = Path(__file__).parent.parent.parent / "docs/python/dramatiq.md"

FIELDS = {
    "queue_name": "other",
    "actor_name": "delete_user",
    "args": (99,),
    "kwargs": {"b": 99},
    "options": {"pipe_target": {}},
    "message_id": "other",
    "message_timestamp": 99,
}
"""Another value for each field of a message."""

OPTIONS = {
    "eta": 1,
    "retries": -99,
    "max_retries": 99,
    "min_backoff": 99,
    "max_backoff": 99,
    "max_age": 99,
    "time_limit": 99,
    "throws": None,
    "on_failure": "delete_user",
    "on_success": "delete_user",
    "on_retry_exhausted": "delete_user",
    "pipe_target": {"actor_name": "delete_user"},
    "pipe_ignore": True,
    "group_completion_uuid": "other",
    "group_completion_callbacks": [{"actor_name": "delete_user"}],
    "store_results": False,
    "result_ttl": 99,
    "broker_priority": 9,
    "redis_message_id": "other",
    "requeue_timestamp": 99,
    "traceback": "other",
}
"""Another value for each option that the middleware of Dramatiq reads or writes."""


@pytest.mark.parametrize("name", [*FIELDS, *(f"options.{name}" for name in OPTIONS)])
def test_every_field_is_under_the_signature(
    name: str, alice: brine.Key, trust: brine.Trust, seen: Path
) -> None:
    field, _, option = name.partition(".")
    shop = signing(key=alice, trust=trust, replay_db=seen)()
    shop.add.send(1)
    opened = shop.broker._brine.of("shop").open(shop.queued(), b"task")
    value = {option: OPTIONS[option]} if option else FIELDS[field]
    inner = pickle.dumps(opened.content, 5)
    other = pickle.dumps({**opened.content, field: value}, 5)
    assert other != inner
    forged = bytearray(opened.envelope)
    at = bytes(forged).index(inner)
    # As long as the other, so that nothing else is wrong.
    forged[at : at + len(inner)] = other[: len(inner)].ljust(len(inner), b".")
    shop.put(bytes(forged))
    shop.work(refused=1)
    assert (shop.ran, shop.deleted, shop.reasons()) == ([], [], ["signature-bad"])


def test_without_signatures_an_option_of_somebody_else_steers() -> None:
    shop = Shop(with_results(StubBroker()))
    shop.add.send(1)
    fields = json.loads(shop.queued())
    follows = dramatiq.Message("shop", "delete_user", (7,), {}, {"pipe_ignore": True})
    fields["options"]["pipe_target"] = follows.asdict()
    shop.put(json.dumps(fields).encode())
    with shop.at_work():
        wait_until(lambda: shop.deleted == [7])
    assert [a for a, _, _ in shop.ran] == [1]


def test_the_tables_have_every_field_and_option() -> None:
    assert set(FIELDS) == {field.name for field in dramatiq.Message.__dataclass_fields__.values()}
    told = PAGE.read_text()
    for name in (*FIELDS, *OPTIONS):
        assert f"`{name}`" in told, name
    for middleware in dramatiq.middleware.default_middleware:
        # It is asked of the actor alone.
        assert middleware().actor_options - OPTIONS.keys() <= {"retry_when", "notify_shutdown"}
