"""Who signs messages of Dramatiq, for which queue, and until when. Without signatures, anybody sends anything at any time."""

from __future__ import annotations

import datetime
import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq.brokers.stub import StubBroker

import brine
import brine.dramatiq
from conftest import trust_for, wait_until
from dramatiq_kit import BROKERS, Shop, broker_of, signing, with_results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(params=BROKERS)
def pair(
    request: pytest.FixtureRequest,
    servers: Callable[[str], Any],
    alice: brine.Key,
    trust: brine.Trust,
    seen: Path,
) -> tuple[Shop, Shop]:
    """A shop without signatures and a signed one, on each broker."""
    queue = f"shop-{secrets.token_hex(4)}"
    sign = signing(key=alice, trust=trust, replay_db=seen)
    plain = Shop(broker_of(request.param, servers), f"{queue}-plain")
    return plain, sign(broker_of(request.param, servers), queue)


OTHERS = [
    pytest.param(None, "unknown-signer", id="a stranger"),
    pytest.param('revoked-at = "2020-01-01T00:00:00Z"', "signer-revoked", id="who has left"),
    pytest.param('contexts = ["dramatiq:other"]', "context-not-allowed", id="of another queue"),
]
"""What the trust file says of others, and why they are refused."""


@pytest.mark.parametrize(("said", "reason"), OTHERS)
def test_messages_of_somebody_else(
    pair: tuple[Shop, Shop], alice: brine.Key, mallory: brine.Key, said: str | None, reason: str
) -> None:
    plain, shop = pair
    # Whoever can write there, or could once and has kept a copy, has the task run.
    message = dramatiq.Message(plain.queue, "delete_user", (7,), {}, {"redis_message_id": "7"})
    plain.numbers[message.encode()] = b"7"
    plain.put(message.encode())
    with plain.at_work():
        wait_until(lambda: plain.deleted == [7])
    signatures = shop.broker._brine.of(shop.queue)
    keys, signatures.keys = signatures.keys, brine.Signer(mallory, context=signatures.context).keys
    shop.delete_user.send(7)
    signatures.keys = keys
    entries = f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\n'
    if said is not None:
        entries += f'[[signer]]\nname = "mallory"\nkey = "{mallory.public}"\n{said}\n'
    signatures._trust = brine.Trust.parse(entries)
    shop.work(refused=1)
    assert (shop.deleted, shop.reasons()) == ([], [reason])
    wait_until(lambda: shop.left() == 0)


def test_messages_of_long_ago(
    pair: tuple[Shop, Shop], alice: brine.Key, trust: brine.Trust
) -> None:
    plain, shop = pair
    plain.delete_user.send(7)
    sent = plain.queued()
    old = json.dumps({**json.loads(sent), "message_timestamp": 1}).encode()
    plain.numbers[old] = plain.numbers.get(sent, b"")
    plain.put(old)
    with plain.at_work():
        wait_until(lambda: plain.deleted == [7])
    shop.delete_user.send(7)
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
    signatures = shop.broker._brine.of(shop.queue)
    given = {"context": signatures.context, "aad": b"task"}
    signatures._judge = brine.Verifier(trust, **given, now=now)
    with shop.at_work():
        wait_until(lambda: shop.reasons() == ["expired"])
    signatures._judge = None
    # Nothing that never expires is taken, whoever has signed it.
    endless = brine.dumps(7, signer=brine.Signer(alice, **given))
    shop.put(endless)
    shop.work(refused=2)
    assert shop.deleted == []
    assert shop.reasons() == ["expired", "replay-expiry-missing"]


def test_who_sends_tasks_is_not_believed_about_results(
    alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    trust = trust_for(
        ("producer", alice, ["dramatiq:shop"]),
        ("worker", mallory, ["dramatiq:shop", "dramatiq:shop:results"]),
    )
    given = {"trust": trust, "expires": "1d", "replay_db": seen}
    producer = Shop(brine.dramatiq.sign(with_results(StubBroker()), key=alice, **given))
    worker = Shop(brine.dramatiq.sign(with_results(StubBroker()), key=mallory, **given))
    producer.backend.results = worker.backend.results
    message = producer.add.send(1, 2)
    worker.put(producer.queued())
    with worker.at_work():
        assert producer.result(message) == 3
    # The producer makes a result itself.
    producer.backend.store_result(message, 1_000_000, 60_000)
    with pytest.raises(brine.UntrustedError) as caught:
        producer.result(message)
    assert caught.value.reason == "context-not-allowed"


def test_rotation_with_messages_in_flight(alice: brine.Key, mallory: brine.Key, seen: Path) -> None:
    keys = {"old": alice.public, "new": mallory.public}
    given = {"trust": brine.Trust.of(keys), "expires": "1d", "replay_db": seen}
    old = Shop(brine.dramatiq.sign(with_results(StubBroker()), key=alice, **given))
    new = Shop(brine.dramatiq.sign(with_results(StubBroker()), key=mallory, **given))
    old.add.send(1)
    new.put(old.queued())
    new.add.send(2)
    new.work(ran=2)
    assert sorted(new.ran) == [(1, 0, "old"), (2, 0, "new")]
