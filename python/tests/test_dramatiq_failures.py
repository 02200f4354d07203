"""Tasks of Dramatiq while a ledger or a connection fails: nothing is lost, and nothing is taken for a replay or run twice."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("dramatiq")

import brine
from conftest import wait_until
from dramatiq_kit import BROKERS, Shop, broker_of, signing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(params=BROKERS)
def shop(
    request: pytest.FixtureRequest,
    servers: Callable[[str], Any],
    alice: brine.Key,
    trust: brine.Trust,
    seen: Path,
) -> Shop:
    """A signed shop on each broker."""
    sign = signing(key=alice, trust=trust, replay_db=seen)
    return sign(broker_of(request.param, servers), f"shop-{secrets.token_hex(4)}")


def set_version(ledger: Path, version: int) -> None:
    """Have a ledger be one of another version."""
    with closing(sqlite3.connect(ledger)) as database:
        database.execute(f"PRAGMA user_version = {version}")


def test_messages_wait_for_a_ledger_that_is_not_of_an_unknown_version(
    shop: Shop, seen: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Versions before 2.2 do this, once for each message, in a thread that ends if it fails.
    kind = "dramatiq.broker.MessageProxy"
    monkeypatch.setattr(f"{kind}.clear_exception", lambda self: delattr(self, "_exception"))
    set_version(seen, 99)
    shop.add.send(1)
    with shop.at_work(threads=1):
        wait_until(lambda: "wait: replay database has format 99" in caplog.text)
        assert (shop.ran, shop.reasons()) == ([], [])
        set_version(seen, 2)
        wait_until(lambda: shop.ran == [(1, 0, "alice")])
        shop.add.send(2)
        wait_until(lambda: len(shop.ran) == 2)
    assert shop.reasons() == []


class Locked:
    """The lease of a message, in a ledger that is locked for a while."""

    def __init__(self, lease: brine.Lease, tries: list[str]) -> None:
        self.lease, self.tries = lease, tries
        self.renew = lease.renew

    def commit(self) -> None:
        self.tries.append("again")
        if len(self.tries) < 4:
            raise brine.InputOutputError("it is locked", reason="replay-locked")
        self.lease.commit()


def test_no_task_is_acknowledged_before_its_end_is_noted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dramatiq.worker.POST_PROCESS_MESSAGE_RETRY_DELAY_SECS", 0.05)
    signatures = shop.broker._brine.of(shop.queue)
    lease, tries = signatures.lease, list[str]()
    monkeypatch.setattr(signatures, "lease", lambda task: Locked(lease(task), tries))
    shop.add.send(1)
    data = shop.queued()
    shop.put(data)
    with shop.at_work():
        wait_until(lambda: len(tries) == 4)
        wait_until(lambda: shop.left() == 0)
        shop.put(data)
        wait_until(lambda: shop.reasons() == ["replayed"])
    assert shop.ran == [(1, 0, "alice")]


def test_what_waits_while_a_connection_fails_is_given_back(
    servers: Callable[[str], Any], alice: brine.Key, trust: brine.Trust, seen: Path
) -> None:
    pytest.importorskip("redis")
    sign = signing(key=alice, trust=trust, replay_db=seen)
    shop = sign(broker_of("redis", servers), f"shop-{secrets.token_hex(4)}")
    shop.add.send(1)
    consumer = shop.broker.consume(shop.queue, prefetch=5, timeout=100)
    message = next(consumer)
    # Dramatiq closes it, and makes another later. Meanwhile a worker's thread finds the ledger locked.
    consumer.close()
    message.fail()
    message.refusal = brine.InputOutputError("it is locked", reason="replay-locked")
    message.is_waiting = True
    consumer.nack(message)
    shop.work(ran=1)
    assert (shop.ran, shop.reasons()) == ([(1, 0, "alice")], [])
