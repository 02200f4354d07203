"""Attacks on Dramatiq, by somebody who can read and write the store and has no key.

Each succeeds on a broker without signatures, and ends as a refusal, whose reason is kept, on one that is signed. Dramatiq has no
signatures of its own. It inflates nothing, and takes no commands by its queues: there is no bomb for it, and no command to forge.
Fields that steer are in ``test_dramatiq_fields.py``, signers in ``test_dramatiq_signers.py``, places in ``test_dramatiq_redis.py``.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq.brokers.stub import StubBroker

import brine
import brine.dramatiq
from conftest import wait_until
from dramatiq_kit import BROKERS, Shop, broker_of, signing, with_results

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def signed(alice: brine.Key, trust: brine.Trust, seen: Path) -> Callable[..., Shop]:
    """Signs a broker in the name of alice."""
    return signing(key=alice, trust=trust, replay_db=seen)


@pytest.fixture(params=BROKERS)
def pair(
    request: pytest.FixtureRequest, servers: Callable[[str], Any], signed: Callable[..., Shop]
) -> tuple[Shop, Shop]:
    """A shop without signatures and a signed one, on each broker."""
    queue = f"shop-{secrets.token_hex(4)}"
    plain = Shop(broker_of(request.param, servers), f"{queue}-plain")
    return plain, signed(broker_of(request.param, servers), queue)


def changed(data: bytes, **fields: Any) -> bytes:
    """Change fields of a message that nobody has signed."""
    return json.dumps({**json.loads(data), **fields}).encode()


def test_relabelled_messages(pair: tuple[Shop, Shop]) -> None:
    plain, shop = pair
    plain.add.send(7)
    plain.put(changed(plain.queued(), actor_name="delete_user"))
    with plain.at_work():
        wait_until(lambda: plain.deleted == [7])
    shop.add.send(7)
    data = shop.queued()
    assert data.count(b"\x03add") == 1
    shop.put(data.replace(b"\x03add", b"\x03foo"))
    shop.work(refused=1)
    assert (shop.deleted, shop.ran, shop.reasons()) == ([], [], ["signature-bad"])
    assert brine.dramatiq.refused(shop.broker)[0].content == data.replace(b"\x03add", b"\x03foo")
    wait_until(lambda: shop.left() == 0)


def test_replays(pair: tuple[Shop, Shop], caplog: pytest.LogCaptureFixture) -> None:
    plain, shop = pair
    for one in pair:
        one.add.send(1)
    again, data = plain.queued(), shop.queued()
    for turn in range(3):
        plain.put(again)
        plain.work(ran=turn + 1)
        shop.put(data)
        shop.work(ran=1, refused=turn)
    assert (len(plain.ran), len(shop.ran)) == (3, 1)
    assert shop.reasons() == ["replayed"] * 2
    # No part of Dramatiq stumbles over what is skipped.
    assert not [one for one in caplog.records if one.levelname == "CRITICAL"]
    wait_until(lambda: shop.left() == 0)


def test_garbage_neither_loops_nor_ends_the_worker(pair: tuple[Shop, Shop]) -> None:
    _, shop = pair
    for data in (b"", b"garbage", b"{}", pickle.dumps(Evil()), b"\xd2\x84"):
        shop.put(data)
        shop.put(data, is_delayed=True)
    shop.add.send(1)
    shop.work(ran=1, refused=10)
    assert shop.ran == [(1, 0, "alice")]
    assert sorted(set(shop.reasons())) == ["cut-short", "not-an-envelope"]
    wait_until(lambda: shop.left() == 0)
    # Nobody is told of them again.
    shop.work()
    assert len(shop.reasons()) == 10


def test_nothing_is_parsed_before_it_has_verified(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[Shop, Shop]
) -> None:
    plain, shop = pair
    nested = b"[" * 1_000_000
    parsed: list[int] = []
    loads = json.loads

    def load(text: str) -> Any:
        parsed.append(len(text))
        return loads(text)

    monkeypatch.setattr("dramatiq.encoder.json.loads", load)
    for one in pair:
        one.broker.declare_queue(one.queue)
        one.put(nested)
    consumer = shop.broker.consume(shop.queue, timeout=100)
    wait_until(lambda: next(consumer) is None and bool(shop.reasons()))
    assert shop.reasons() == ["not-an-envelope"]
    # What was kept is longer.
    assert len(nested) not in parsed
    consumer.close()
    consumer = plain.broker.consume(plain.queue, timeout=100)
    with contextlib.suppress(dramatiq.DecodeError):
        wait_until(lambda: next(consumer) is None and len(nested) in parsed)
    assert len(nested) in parsed
    consumer.close()


def test_what_cannot_be_kept_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[Shop, Shop], caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("brine._dramatiq_consumer.MOST_SECONDS", 0.05)
    _, shop = pair
    monkeypatch.setattr("dramatiq.worker.POST_PROCESS_MESSAGE_RETRY_DELAY_SECS", 0.05)
    place, keep = shop.broker._brine_place, shop.broker._brine_place.keep
    failed: list[bytes] = []
    times = 4

    def fail(told: bytes) -> None:
        if len(failed) < times:
            failed.append(told)
            raise OSError("away")
        keep(told)

    monkeypatch.setattr(place, "keep", fail)
    message = shop.add.send(1)
    data = shop.queued()
    for one in (b"one", b"two", data):
        shop.put(one)
    shop.work(ran=1, refused=2)
    # What is refused where its task starts is kept by a worker's thread.
    times = 8
    shop.put(data)
    shop.work(ran=1, refused=3)
    found = [one.content for one in brine.dramatiq.refused(shop.broker)]
    assert (len(failed), sorted(found)) == (8, sorted([b"one", b"two", data]))
    assert (
        caplog.text.count(f"a message of dramatiq:{shop.queue} is refused and not kept: away") == 8
    )
    assert shop.result(message) == 1
    wait_until(lambda: shop.left() == 0)


def test_messages_of_another_queue(pair: tuple[Shop, Shop], signed: Callable[..., Shop]) -> None:
    plain, shop = pair
    other = Shop(with_results(StubBroker()), "other")
    other.add.send(1)
    plain.put(changed(other.queued(), queue_name=plain.queue))
    plain.work(ran=1)
    assert plain.ran == [(1, 0, "nobody")]
    other = signed(queue="other")
    other.add.send(1)
    shop.put(other.queued())
    shop.work(refused=1)
    assert (shop.ran, shop.reasons()) == ([], ["context-mismatch"])


def test_results_of_another_task(signed: Callable[..., Shop]) -> None:
    for shop in (Shop(with_results(StubBroker())), signed()):
        with shop.at_work():
            one, other = shop.add.send(1, 1), shop.add.send(100, 100)
            assert [shop.result(one), shop.result(other)] == [2, 200]
        results, key = shop.backend.results, shop.backend.build_message_key
        results[key(one)] = results[key(other)]
        if hasattr(shop.broker, "_brine"):
            with pytest.raises(brine.AlteredError) as caught:
                shop.result(one)
            assert caught.value.reason == "signature-bad"
        else:
            assert shop.result(one) == 200


def test_a_message_as_a_result_and_a_result_as_a_message(signed: Callable[..., Shop]) -> None:
    shop = signed()
    message = shop.add.send(1, 1)
    data = shop.queued()
    key = shop.backend.build_message_key(message)
    shop.backend.results[key] = (data, float("inf"))
    with pytest.raises(brine.AlteredError) as caught:
        shop.result(message)
    assert caught.value.reason == "signature-bad"
    shop.put(data)
    with shop.at_work():
        wait_until(lambda: shop.backend.results[key][0] != data)
    shop.put(shop.backend.results[key][0])
    shop.work(refused=1)
    assert shop.reasons() == ["signature-bad"]


def fields(**others: Any) -> dict[str, Any]:
    """Return the fields of a message."""
    message = dramatiq.Message("shop", "add", (1,), {}, {"redis_message_id": "1"})
    return {**message.asdict(), **others}


def test_a_message_of_a_trusted_signer_that_is_none_is_refused(
    alice: brine.Key, signed: Callable[..., Shop]
) -> None:
    shop = signed()
    signer = brine.Signer(alice, context="dramatiq:shop", expires="1h", aad=b"task")
    wrong: list[Any] = [7, [], {}, {**fields(), "more": 1}]
    wrong += [{name: value for name, value in fields().items() if name != "args"}]
    wrong += [fields(**{name: None}) for name in fields()]
    # It would be sought by the worker under the queue that it names.
    wrong += [fields(queue_name="other"), fields(queue_name="other.DQ")]
    # Dramatiq takes these for times, priorities and classes, in threads that would end.
    wrong += [fields(options={"eta": eta}) for eta in (10**400, float("inf"), float("nan"), "now")]
    wrong += [fields(options={"broker_priority": one}) for one in (-1, 256, "first")]
    wrong += [fields(options={"throws": throws}) for throws in ("all", [ValueError.__name__], 5)]
    for content in wrong:
        shop.put(brine.dumps(content, signer=signer))
    shop.add.send(1)
    shop.work(ran=1, refused=len(wrong))
    assert shop.ran == [(1, 0, "alice")]
    assert shop.reasons() == ["task-form"] * len(wrong)


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


def test_a_signer_sends_no_more_than_the_list_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = signed()
    shop.add.send(Evil())
    shop.work(refused=1)
    assert not Path("ran").exists()
    assert shop.reasons() == ["import-not-allowed"]
    allowed = signed(allow={"alice": ["std", "decimal:Decimal"], "*": []})
    allowed.add.send(1, 2)
    allowed.work(ran=1)
    assert allowed.ran == [(1, 2, "alice")]


def test_pickles_run_without_signatures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = dramatiq.get_encoder()
    monkeypatch.setattr("dramatiq.message.global_encoder", dramatiq.PickleEncoder())
    plain = Shop(with_results(StubBroker()))
    plain.put(pickle.dumps(Evil()))
    with plain.at_work():
        wait_until(lambda: Path("ran").exists())
    monkeypatch.setattr("dramatiq.message.global_encoder", before)
    Path("ran").unlink()
    shop = signed()
    shop.put(pickle.dumps(Evil()))
    shop.work(refused=1)
    assert not Path("ran").exists()
    assert shop.reasons() == ["not-an-envelope"]


def test_nobody_is_refused_for_a_trust_file_that_cannot_be_read(
    home: Path, seen: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("brine._dramatiq_consumer.MOST_SECONDS", 0.05)
    broker = with_results(StubBroker())
    shop = Shop(brine.dramatiq.sign(broker, expires="1d", replay_db=seen))
    shop.add.send(1)
    trusted = (home / "trust.toml").read_text()
    (home / "trust.toml").write_text("nonsense")
    with shop.at_work():
        wait_until(lambda: "messages of dramatiq:shop wait: " in caplog.text)
        assert (shop.ran, shop.reasons()) == ([], [])
        (home / "trust.toml").write_text(trusted)
        wait_until(lambda: shop.ran == [(1, 0, "default")])
    assert shop.reasons() == []
