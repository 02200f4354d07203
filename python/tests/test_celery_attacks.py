"""Celery against somebody who can read and write the broker and the store of results, and has no key.

Each attack is tried on an app without signatures, where it succeeds, and on one that is signed, which says why it refused.
"""

from __future__ import annotations

import base64
import datetime
import zlib
from typing import TYPE_CHECKING, Any

import pytest

import brine

pytest.importorskip("celery")

from celery import Celery

import brine.celery
from celery_kit import Broker, Shop
from conftest import trust_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")
pytest_plugins = ("celery_fixtures",)


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
    trust = trust_for(
        ("producer", alice, ["celery:celery:add"]),
        ("worker", mallory, ["celery:celery:*", "celery:results"]),
    )
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
