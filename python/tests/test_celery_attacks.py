"""Celery against somebody who can read and write the broker and the store of results, and has no key.

Each attack is tried on an app without signatures, where it succeeds, and on one that is signed, which says why it refused.
"""

from __future__ import annotations

import base64
import datetime
import json
import pickle
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

import brine

pytest.importorskip("celery")

from celery import Celery, chord
from celery.contrib.testing.worker import TestWorkController
from celery.utils.imports import symbol_by_name
from celery.worker import state as worker_state
from kombu import Exchange, Queue

import brine.celery
from brine._celery_messages import _is_bound
from brine._celery_worker import _Held
from celery_kit import Broker, Shop
from conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def plain(servers: Callable[[str], Any]) -> Celery:
    port = servers("redis").start_of.port
    made = Celery(
        "shop", broker=f"redis://127.0.0.1:{port}/3", backend=f"redis://127.0.0.1:{port}/4"
    )
    place = Broker(made)
    place.redis.flushdb()
    place.results.flushdb()
    return made


@pytest.fixture
def options(alice: brine.Key, trust: brine.Trust, seen: Path) -> dict[str, Any]:
    return {"key": alice, "trust": trust, "expires": "1d", "replay_db": seen}


@pytest.fixture
def shops(plain: Celery, options: dict[str, Any]) -> Iterator[Any]:
    """A shop without signatures, and one with: one after the other on the same broker."""

    def both() -> Iterator[tuple[Shop, bool]]:
        place = Broker(plain)
        for is_signed in (False, True):
            place.redis.flushdb()
            place.results.flushdb()
            app = Celery("shop", broker=plain.conf.broker_url, backend=plain.conf.result_backend)
            yield Shop(brine.celery.sign(app, **options) if is_signed else app), is_signed

    return both()


def test_relabelled_tasks(shops: Iterator[tuple[Shop, bool]]) -> None:
    for shop, is_signed in shops:
        shop.add.delay(7)
        place = Broker(shop.app)
        message = place.take()
        message["headers"]["task"] = "delete_user"
        place.put(message)
        shop.work()
        assert (shop.deleted, shop.ran) == ([] if is_signed else [7], [])
    assert shop.reasons() == ["context-mismatch"]
    [kept] = brine.celery.refused(shop.app)
    assert (kept.place, kept.content) == ("celery", base64.b64decode(message["body"]))


def test_arguments_of_another_task(shops: Iterator[tuple[Shop, bool]]) -> None:
    for shop, is_signed in shops:
        one, other = shop.add.delay(1), shop.add.delay(100)
        place = Broker(shop.app)
        messages = [place.take(), place.take()]
        messages[0]["body"], messages[1]["body"] = messages[1]["body"], messages[0]["body"]
        for message in messages:
            place.put(message)
        shop.work()
        expected = [1, 100] if is_signed else [100, 1]
        assert [one.get(timeout=60), other.get(timeout=60)] == expected
    assert shop.reasons() == []


def test_replays(shops: Iterator[tuple[Shop, bool]]) -> None:
    for shop, is_signed in shops:
        shop.add.delay(1)
        place = Broker(shop.app)
        message = place.take()
        for _ in range(3):
            place.put(message)
        shop.work()
        assert len(shop.ran) == (1 if is_signed else 3)
    assert shop.reasons() == ["replayed"] * 2


def test_another_queue(shops: Iterator[tuple[Shop, bool]]) -> None:
    for shop, is_signed in shops:
        shop.add.apply_async((1,), queue="other")
        place = Broker(shop.app)
        place.put(place.take("other"))
        shop.work()
        assert len(shop.ran) == (0 if is_signed else 1)
    assert shop.reasons() == ["context-mismatch"]


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


def test_bombs(shops: Iterator[tuple[Shop, bool]], monkeypatch: pytest.MonkeyPatch) -> None:
    inflated: list[int] = []

    def inflate(data: bytes, kind: str) -> bytes:
        found = inflater(data, kind)
        inflated.append(len(found))
        return found

    import kombu.message

    inflater = kombu.message.decompress
    monkeypatch.setattr("kombu.message.decompress", inflate)
    monkeypatch.setattr("brine._celery_channel.decompress", inflate)
    bomb = base64.b64encode(zlib.compress(bytes(30_000_000))).decode()
    for shop, is_signed in shops:
        shop.add.delay(1)
        place = Broker(shop.app)
        message = place.take()
        message["body"] = bomb
        message["headers"]["compression"] = "application/x-gzip"
        place.put(message)
        shop.work()
        assert inflated == ([] if is_signed else [30_000_000])
        inflated.clear()
    assert shop.reasons() == ["not-an-envelope"]


def test_strangers(
    shops: Iterator[tuple[Shop, bool]], options: dict[str, Any], mallory: brine.Key
) -> None:
    for shop, is_signed in shops:
        elsewhere = Celery("shop", broker=shop.app.conf.broker_url)
        if is_signed:
            elsewhere = brine.celery.sign(elsewhere, **{**options, "key": mallory})
        Shop(elsewhere).add.delay(1)
        shop.work()
        assert len(shop.ran) == (0 if is_signed else 1)
    assert shop.reasons() == ["unknown-signer"]


def test_tasks_of_one_who_has_left(
    shops: Iterator[tuple[Shop, bool]], options: dict[str, Any], home: Path
) -> None:
    # This one and the worker have the key of the home, and its trust file.
    options["key"] = options["trust"] = None
    listed = (home / "trust.toml").read_text()
    for shop, is_signed in shops:
        shop.add.delay(1)
        (home / "trust.toml").write_text(f"{listed}revoked-at = 2020-01-01T00:00:00Z\n")
        shop.work()
        assert len(shop.ran) == (0 if is_signed else 1)
    assert shop.reasons() == ["signer-revoked"]


def test_old_tasks(shops: Iterator[tuple[Shop, bool]], trust: brine.Trust) -> None:
    for shop, is_signed in shops:
        shop.add.delay(1)
        if is_signed:
            # Two days pass.
            now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
            signatures = shop.app._brine.of_task("celery", "add", is_known=True)
            signatures._judge = brine.Verifier(
                trust, context="celery:celery:add", aad=b"task", now=now
            )
        shop.work()
        assert len(shop.ran) == (0 if is_signed else 1)
    assert shop.reasons() == ["expired"]


def test_who_may_send_what(
    plain: Celery, options: dict[str, Any], alice: brine.Key, mallory: brine.Key
) -> None:
    trust = brine.Trust.parse(f"""
[[signer]]
name = "producer"
key = "{alice.public}"
contexts = ["celery:celery:add"]

[[signer]]
name = "worker"
key = "{mallory.public}"
contexts = ["celery:celery:*", "celery:results"]
""")
    given = {**options, "trust": trust}
    producer = Shop(
        brine.celery.sign(
            Celery("shop", broker=plain.conf.broker_url, backend=plain.conf.result_backend), **given
        )
    )
    result = producer.add.delay(1, 2)
    producer.delete_user.delay(7)
    shop = Shop(brine.celery.sign(plain, **{**given, "key": mallory}))
    shop.work()
    assert result.get(timeout=60) == 3
    assert (shop.ran, shop.deleted, shop.reasons()) == (
        [(1, 2, "producer")],
        [],
        ["context-not-allowed"],
    )
    # The producer makes a result itself.
    producer.app.backend.store_result(result.id + "x", 1_000_000, "SUCCESS")
    with pytest.raises(brine.UntrustedError) as caught:
        producer.app.AsyncResult(result.id + "x").get(timeout=60)
    assert caught.value.reason == "context-not-allowed"


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


FORGED_COMMAND = {
    "body": base64.b64encode(b'{"method": "revoke", "arguments": {"task_id": "forged"}}').decode(),
    "headers": {"clock": 1, "expires": 0},
    "content-type": "application/json",
    "content-encoding": "utf-8",
    "properties": {
        "delivery_info": {"exchange": "celery.pidbox", "routing_key": ""},
        "delivery_mode": 2,
        "delivery_tag": "x",
        "body_encoding": "base64",
        "priority": 0,
    },
}


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


def test_what_cannot_be_noted_is_held_and_noted_later(trust: brine.Trust) -> None:
    """A ledger that is locked when a task is done does not have it run again."""
    done: list[str] = []
    later: list[Any] = []
    faults = [brine.InputOutputError("locked", reason="replay-locked"), None]

    class FakeLease:
        def commit(self) -> None:
            fault = faults.pop(0)
            if fault is not None:
                raise fault
            done.append("noted")

    class FakeTimer:
        def call_after(self, _seconds: float, work: Any, arguments: Any) -> None:
            later.append((work, arguments))

    class FakeRequest:
        def __init__(self) -> None:
            self._on_ack: Any = lambda *_: done.append("acknowledged")
            self._on_reject: Any = None

    request = FakeRequest()
    held = _Held(cast("Any", FakeLease()), request, FakeTimer())
    request._on_ack(None, ())
    assert (done, held.is_settled, len(later)) == ([], False, 1)
    work, arguments = later[0]
    work(*arguments)
    assert (done, held.is_settled) == (["noted", "acknowledged"], True)


def test_migration(plain: Celery, options: dict[str, Any]) -> None:
    old = Shop(Celery("shop", broker=plain.conf.broker_url, backend=plain.conf.result_backend))
    old.app.conf.task_compression = "gzip"
    results = [old.add.delay(n, n) for n in range(3)]
    moving = brine.Unsigned()
    shop = Shop(brine.celery.sign(plain, **options, fallback=moving))
    shop.add.delay(7, 7)
    with pytest.warns(brine.UnsignedWarning):
        shop.work()
    assert sorted(ran[2] or "nobody" for ran in shop.ran) == ["alice"] + ["nobody"] * 3
    assert moving.count == 3
    assert [shop.app.AsyncResult(one.id).get(timeout=60) for one in results] == [0, 2, 4]
    # What was signed, and changed since, is not taken as unsigned.
    shop.add.delay(8, 8)
    place = Broker(plain)
    message = place.take()
    message["body"] = altered(message["body"])
    place.put(message)
    shop.work()
    assert shop.reasons() == ["signature-bad"]


def test_every_field_of_a_message(plain: Celery, options: dict[str, Any]) -> None:
    """Change each field on the way. What runs is what was signed, or nothing."""
    shop = Shop(brine.celery.sign(plain, **options))
    place = Broker(plain)

    def sent(name: str) -> dict[str, Any]:
        given = {"expires": 3600, "time_limit": 50, "priority": 0, "ignore_result": True}
        shop.add.apply_async((name,), {"b": ""}, task_id=name, **given)
        return place.take()

    original = sent("original")
    parts = {"": original, "headers": original["headers"], "properties": original["properties"]}
    fields = [
        (part, field)
        for part, told in parts.items()
        for field in told
        if field not in ("headers", "properties", "delivery_tag")
    ]
    messages = {(part, field): sent(f"{part}.{field}") for part, field in fields}
    for (part, field), message in messages.items():
        target = message[part] if part else message
        target[field] = altered(target[field]) if field == "body" else other(target[field])
    for message in [original, *messages.values()]:
        place.put(message)
    shop.work()
    ran = {request["id"]: steering(request) for request in shop.requests}
    expected = ran.pop("original")
    refused = {f"{part}.{field}" for part, field in fields} - set(ran)
    assert refused == {"headers.task", ".body", "properties.body_encoding"}
    assert set(shop.reasons()) == {"context-mismatch", "signature-bad", "task-form"}
    assert {"headers.eta", "headers.id", "headers.retries", "headers.timelimit"} <= set(ran)
    for name, found in ran.items():
        assert found == expected | {
            "args": [name],
            "id": name,
            "root_id": name,
            "correlation_id": name,
        }


STEERING = (
    "task", "id", "eta", "retries", "timelimit", "root_id", "parent_id", "group", "group_index",
    "shadow", "origin", "ignore_result", "args", "kwargs", "callbacks", "errbacks", "chain", "chord",
    "reply_to", "correlation_id", "signer", "stamped_headers", "stamps", "replaced_task_nesting",
)  # fmt: skip


def steering(request: dict[str, Any]) -> dict[str, Any]:
    """Return what of a request decides what is done."""
    found = {name: request.get(name) for name in STEERING}
    return {**found, "priority": request["delivery_info"]["priority"]}


def other(value: Any) -> Any:
    """Return another value, of the same kind where there is one."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return "delete_user" if value == "add" else f"{value}x"
        case [*parts]:
            return [*parts, 1]
        case dict():
            return {**value, "more": 1}
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)).isoformat()


def altered(body: str) -> str:
    """Change the last bit of a body."""
    content = bytearray(base64.b64decode(body))
    content[-1] ^= 1
    return base64.b64encode(content).decode()
