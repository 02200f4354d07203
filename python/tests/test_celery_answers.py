"""Results, parts of chords, control commands and elections of Celery, forged by somebody who has no key.

Each is tried on an app without signatures, where it succeeds, and on one that is signed.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

import brine

pytest.importorskip("celery")

from celery import chord
from celery.contrib.testing.worker import TestWorkController
from celery.utils.imports import symbol_by_name
from celery.worker import state as worker_state

import brine.celery
from celery_kit import FORGED_COMMAND, Broker, Shop
from conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.filterwarnings("ignore")
pytest_plugins = ("celery_fixtures",)


def test_results_of_another_task(shops: Iterator[tuple[Shop, bool]]) -> None:
    for shop, is_signed in shops:
        one, other = shop.add.delay(1, 1), shop.add.delay(100, 100)
        shop.work()
        store = Broker(shop.app).results
        store.set(f"celery-task-meta-{one.id}", store.get(f"celery-task-meta-{other.id}"))
        if is_signed:
            with pytest.raises(brine.UsageError) as caught:
                one.get(timeout=60)
            assert caught.value.reason == "task-place"
        else:
            assert one.get(timeout=60) == 200


def test_forged_results_and_parts_of_chords(shops: Iterator[tuple[Shop, bool]]) -> None:
    for shop, is_signed in shops:
        result = shop.add.delay(1, 1)
        shop.work()
        store = Broker(shop.app).results
        forged = {
            "status": "SUCCESS",
            "result": 7,
            "traceback": None,
            "children": [],
            "task_id": result.id,
        }
        store.set(f"celery-task-meta-{result.id}", json.dumps(forged))
        if is_signed:
            with pytest.raises(brine.UnsupportedError) as caught:
                result.get(timeout=60)
            assert caught.value.reason == "not-an-envelope"
        else:
            assert result.get(timeout=60) == 7
        # A part of a chord that nobody has computed becomes an argument of a task that the worker signs.
        total = chord([shop.add.s(1, 1), shop.add.s(2, 2)])(shop.total.s())
        [group] = [key for key in store.keys("celery-taskset-meta-*.s")] or [None]
        assert group is not None
        parts = group[:-2] + b".j"
        store.zadd(parts, {json.dumps([1, "x", "SUCCESS", 1_000_000]): 5})
        store.incr(group[:-2] + b".s")
        shop.work()
        shop.work()
        if is_signed:
            with pytest.raises(
                Exception, match="not a signed envelope|no signature|not an envelope"
            ):
                total.get(timeout=60)
        else:
            assert total.get(timeout=60) == 1_000_006


def test_control_commands(shops: Iterator[tuple[Shop, bool]]) -> None:
    for shop, is_signed in shops:
        assert obeyed(shop) == (set() if is_signed else {"forged", "again"})
    reasons = shop.reasons()
    assert set(reasons) == {"not-an-envelope", "replayed"}


def obeyed(shop: Shop) -> set[str]:
    """Send a command that nobody signed, and then one again that was obeyed. Return which of them are obeyed."""
    place = Broker(shop.app)
    heard = place.redis.pubsub()
    heard.psubscribe("*")
    revoked = worker_state.revoked
    revoked.clear()
    found = set()
    with shop.at_work(hostname="one@here"):
        wait_until(lambda: bool(shop.app.control.ping(timeout=0.5)))
        place.redis.publish("/3.celery.pidbox", json.dumps(FORGED_COMMAND))
        shop.app.control.revoke("asked")
        wait_until(lambda: "asked" in revoked)
        if "forged" in revoked:
            found.add("forged")
        heard_all = iter(partial(heard.get_message, timeout=1), None)
        commands = [one["data"] for one in heard_all if b"pidbox" in one["channel"]]
        revoked.clear()
        for command in commands:
            place.redis.publish("/3.celery.pidbox", command)
        shop.app.control.revoke("asked later")
        wait_until(lambda: "asked later" in revoked)
        if "asked" in revoked:
            found.add("again")
    return found


def test_elections_name_no_task(shops: Iterator[tuple[Shop, bool]]) -> None:
    """An event, which nobody signs, would have the winner of an election sign and send a task."""
    for shop, is_signed in shops:
        consumer = symbol_by_name(
            shop.app.conf.worker_consumer or "celery.worker.consumer:Consumer"
        )
        worker = TestWorkController(app=shop.app, pool="solo", loglevel="ERROR")
        made = consumer(
            worker.process_task,
            app=shop.app,
            pool=worker.pool,
            hostname="one@here",
            controller=worker,
        )
        assert bool(made.gossip.election_handlers) is not is_signed
