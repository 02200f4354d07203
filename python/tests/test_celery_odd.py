"""Celery with signed tasks, given what no client of it sends: junk, odd messages, and what a trusted key signed for something else."""

from __future__ import annotations

import base64
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

import brine

pytest.importorskip("celery")

from celery import Celery
from celery.worker import state as worker_state
from kombu import Exchange, Queue

import brine.celery
from brine._celery_messages import _is_bound
from celery_kit import FORGED_COMMAND, Broker, Shop
from conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")
pytest_plugins = ("celery_fixtures",)


def test_what_is_for_an_exchange_is_for_no_queue_of_its_name(
    plain: Celery, options: dict[str, Any]
) -> None:
    shop = Shop(brine.celery.sign(plain, **options))
    place = Broker(plain)
    plain.conf.task_queues = [
        Queue("celery", Exchange("celery"), routing_key="celery"),
        Queue("media", Exchange("other", type="topic"), routing_key="#"),
    ]
    # It says that it came through an exchange; it was signed for the queue, and that is believed.
    shop.add.delay(1)
    message = place.take()
    message["properties"]["delivery_info"] = {"exchange": "celery", "routing_key": "any"}
    place.put(message)
    shop.work()
    assert (len(shop.ran), shop.reasons()) == (1, [])
    # It was signed for an exchange of the name of the queue that it is put into.
    elsewhere = Queue("elsewhere", Exchange("media", type="topic"), routing_key="media.#")
    shop.add.apply_async((1,), queue=elsewhere, routing_key="media.any")
    place.put(place.take("elsewhere"), "media")
    with shop.at_work():
        wait_until(lambda: len(shop.reasons()) == 1)
    assert (len(shop.ran), shop.reasons()) == (1, ["task-place"])


@pytest.mark.parametrize(
    "junk", [b"junk", b"7", b"{}", b'{"properties": {}}', b"[[[", b"\xff", b""]
)
def test_junk_ends_no_worker(junk: bytes, plain: Celery, options: dict[str, Any]) -> None:
    shop = Shop(brine.celery.sign(plain, **options))
    Broker(plain).redis.lpush("celery", junk)
    shop.add.delay(1)
    shop.work()
    assert (len(shop.ran), shop.reasons()) == (1, ["task-form"])
    [kept] = brine.celery.refused(plain)
    assert kept.content.replace(b" ", b"") == junk.replace(b" ", b"")


CHANGES: list[dict[str, Any]] = [
    {"body": None},
    {"body": {"a": 1}},
    {"body": 250_000_000},
    {"body": "\ud800", "properties": {"delivery_info": {"exchange": "", "routing_key": "celery"}}},
    {"headers": [1]},
    {"headers": None},
    {
        "properties": {
            "delivery_tag": {"a": 1},
            "delivery_info": {"exchange": "", "routing_key": "x"},
        }
    },
    {"properties": {"delivery_info": [1]}},
    {"properties": {"delivery_info": {}}},
    {"content-type": 7, "content-encoding": []},
]


@pytest.mark.parametrize("changes", CHANGES, ids=range(len(CHANGES)))
def test_odd_messages_end_no_worker(
    changes: dict[str, Any], plain: Celery, options: dict[str, Any]
) -> None:
    shop = Shop(brine.celery.sign(plain, **options))
    place = Broker(plain)
    shop.add.delay(1)
    odd = {**place.take(), **changes}
    place.redis.lpush("celery", json.dumps(odd))
    shop.add.delay(2)
    shop.work()
    # What says nothing that is believed runs all the same: it is under the signature.
    ran = [ran[0] for ran in shop.ran]
    assert (ran, len(shop.reasons())) in (([2], 1), ([1, 2], 0))


def test_what_a_trusted_key_signed_and_is_no_task(
    plain: Celery, options: dict[str, Any], tmp_path: Path
) -> None:
    """One key that is trusted for a task must not end workers, and pickles name what is on the list."""
    plain.conf.accept_content = ["json", "pickle"]
    shop = Shop(brine.celery.sign(plain, **options))
    place = Broker(plain)
    shop.add.delay(1)
    sent = place.take()
    signatures = plain._brine.of_task("celery", "add", is_known=True)
    right = signatures.load(signatures.verify(base64.b64decode(sent["body"]), b"task"))
    evil = pickle.dumps([[Opens(tmp_path / "ran")], {}, {}])
    wrong: list[Any] = [
        7,
        {**right, "data": "7"},
        {**right, "data": "[1]"},
        {**right, "type": ""},
        {**right, "type": b"application/x-python-serialize", "encoding": "binary", "data": evil},
        {**right, "encoding": None},
        {**right, "headers": {**right["headers"], "id": {}}},
        {**right, "headers": {"task": "add"}},
        {**right, "headers": {**right["headers"], "timelimit": 7}},
        {**right, "headers": {**right["headers"], "eta": 7}},
    ]
    named = {**right, "type": "application/x-python-serialize", "encoding": "binary", "data": evil}
    for told in [*wrong, named]:
        body = base64.b64encode(signatures.sign(pickle.dumps(told), b"task")).decode()
        place.put({**sent, "body": body})
    shop.add.delay(2)
    shop.work()
    assert [ran[0] for ran in shop.ran] == [2]
    assert sorted(shop.reasons()) == sorted(["task-form"] * len(wrong) + ["import-not-allowed"])
    assert not (tmp_path / "ran").exists()


class Opens:
    """Opens a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def test_strangers_choose_no_contexts_that_are_kept(plain: Celery, options: dict[str, Any]) -> None:
    shop = Shop(brine.celery.sign(plain, **options))
    place = Broker(plain)
    shop.add.delay(1)
    message = place.take()
    for number in range(30):
        message["headers"]["task"] = "add" if number % 2 else f"task-{number}"
        message["properties"]["delivery_info"] = {"exchange": f"place-{number}", "routing_key": "x"}
        place.put({**message, "body": "anKr"})
    shop.work()
    assert shop.reasons() == ["not-an-envelope"] * 30
    assert set(plain._brine._tasks) == {"celery:celery:add"}


@pytest.mark.parametrize(
    ("kind", "bound", "key", "leads"),
    [
        ("direct", "a", "a", True),
        ("direct", "a", "b", False),
        ("topic", "low.#", "low.any.thing", True),
        ("topic", "low.#", "low", True),
        ("topic", "low.#", "lower.any", False),
        ("topic", "*.b", "a.b", True),
        ("topic", "*.b", "a.a.b", False),
        ("fanout", "", "any", True),
    ],
)
def test_a_routing_key_leads_to_the_queues_that_are_bound_by_it(
    kind: str, bound: str, key: str, leads: bool
) -> None:
    queue = Queue("low", Exchange("work", type=kind), routing_key=bound)
    assert _is_bound(queue, key) is leads


def test_junk_in_the_control_queues_ends_no_worker(plain: Celery, options: dict[str, Any]) -> None:
    shop = Shop(brine.celery.sign(plain, **options))
    place = Broker(plain)
    with shop.at_work(hostname="one@here"):
        wait_until(lambda: bool(shop.app.control.ping(timeout=0.5)))
        for junk in (b"7", b"junk", json.dumps({**FORGED_COMMAND, "headers": [1]}).encode()):
            place.redis.publish("/3.celery.pidbox", junk)
        assert shop.add.delay(1).get(timeout=60) == 1
        wait_until(lambda: bool(shop.app.control.ping(timeout=0.5)))


def test_no_command_passes_unsigned_while_a_system_moves(
    plain: Celery, options: dict[str, Any]
) -> None:
    shop = Shop(brine.celery.sign(plain, **options, fallback=brine.Unsigned()))
    worker_state.revoked.clear()
    with shop.at_work(hostname="one@here"):
        wait_until(lambda: bool(shop.app.control.ping(timeout=0.5)))
        unsigned = {**FORGED_COMMAND, "content-type": "application/cose"}
        Broker(plain).redis.publish("/3.celery.pidbox", json.dumps(unsigned))
        wait_until(lambda: shop.reasons() == ["not-an-envelope"] or bool(worker_state.revoked))
    assert list(worker_state.revoked) == []


def test_a_backend_that_was_used_before_signing(plain: Celery, options: dict[str, Any]) -> None:
    assert plain.backend is not None
    brine.celery.sign(plain, **options)
    forged = {"status": "SUCCESS", "result": 7, "traceback": None, "children": [], "task_id": "x"}
    Broker(plain).results.set("celery-task-meta-x", json.dumps(forged))
    with pytest.raises(brine.UnsupportedError) as caught:
        plain.AsyncResult("x").get(timeout=60)
    assert caught.value.reason == "not-an-envelope"


def test_junk_among_what_was_refused_is_left_out(plain: Celery, options: dict[str, Any]) -> None:
    shop = Shop(brine.celery.sign(plain, **options))
    place = Broker(plain)
    place.redis.lpush("celery", b"junk")
    shop.work()
    for body in (b"junk", b"[]", b'{"more": 1}'):
        place.put({**FORGED_COMMAND, "body": base64.b64encode(body).decode()}, "brine.refused")
    place.redis.lpush("brine.refused", b"7")
    assert shop.reasons() == ["task-form"]
    assert shop.reasons() == ["task-form"]
