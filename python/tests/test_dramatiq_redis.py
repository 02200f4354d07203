"""Attacks on where messages of Dramatiq lie in Redis: under other ids, twice, and under what is no id."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("dramatiq")
pytest.importorskip("redis")

from conftest import wait_until
from dramatiq_kit import Shop, broker_of, signing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import brine


@pytest.fixture
def shop(servers: Callable[[str], Any], alice: brine.Key, trust: brine.Trust, seen: Path) -> Shop:
    """A signed shop in Redis."""
    sign = signing(key=alice, trust=trust, replay_db=seen)
    return sign(broker_of("redis", servers), f"shop-{secrets.token_hex(4)}")


@pytest.fixture
def plain(servers: Callable[[str], Any]) -> Shop:
    """A shop without signatures."""
    return Shop(broker_of("redis", servers), f"plain-{secrets.token_hex(4)}")


def test_messages_that_lie_elsewhere(shop: Shop) -> None:
    shop.add.send(1)
    data = shop.queued()
    shop.numbers.clear()
    # Dramatiq would acknowledge the id that the message names, and get the other again from every worker that ends.
    shop.put(data)
    shop.work(refused=1)
    assert (shop.ran, shop.reasons(), shop.left()) == ([], ["task-place"], 0)


def test_data_that_is_swapped_between_two_messages(plain: Shop, shop: Shop) -> None:
    for one in (plain, shop):
        one.add.send(1)
        one.add.send(2)
        first, second = one.queued(), one.queued()
        numbers = one.numbers
        numbers[first], numbers[second] = numbers[second], numbers[first]
        one.put(first)
        one.put(second)
    # Each is acknowledged by the id of the other: if the worker dies between them, one is lost.
    plain.work(ran=2)
    assert sorted(a for a, _, _ in plain.ran) == [1, 2]
    shop.work(refused=2)
    assert (shop.ran, shop.reasons(), shop.left()) == ([], ["task-place"] * 2, 0)


def test_a_copy_beside_one_that_was_taken_before_the_connection_failed(shop: Shop) -> None:
    shop.add.send(1)
    before = shop.broker.consume(shop.queue, prefetch=5, timeout=100)
    message = next(before)
    shop.numbers.clear()
    shop.put(message.data)
    # Dramatiq makes another consumer when its connection fails, and goes on with what it has.
    consumer = shop.broker.consume(shop.queue, prefetch=5, timeout=100)
    wait_until(lambda: next(consumer) is None and shop.reasons() == ["task-place"])
    key = f"{shop.broker.namespace}:{shop.queue}.msgs"
    assert shop.broker.client.hkeys(key) == [message.options["redis_message_id"].encode()]
    consumer.ack(message)
    assert shop.left() == 0


@pytest.mark.parametrize("number", [b"\xff", b"", b"brine"])
def test_ids_that_are_none_stop_nobody(shop: Shop, number: bytes) -> None:
    client, key = shop.broker.client, f"{shop.broker.namespace}:{shop.queue}"
    client.hset(f"{key}.msgs", number, b"garbage")
    # Nothing lies under the last one.
    client.rpush(key, number, number, number + b"none")
    shop.add.send(1)
    shop.work(ran=1, refused=1)
    assert shop.ran == [(1, 0, "alice")]
    assert set(shop.reasons()) == {"not-an-envelope"}
    assert shop.left() == 0


def test_an_id_that_is_there_twice(plain: Shop, shop: Shop) -> None:
    for one in (plain, shop):
        one.add.send(1)
        one.put(data := one.queued())
        one.put(data)
        one.work(ran=1)
        one.put(data)
        one.work(ran=1)
    assert [a for a, _, _ in plain.ran] == [1, 1, 1]
    assert shop.ran == [(1, 0, "alice")]
    # Either this worker still has it, or it was done.
    assert set(shop.reasons()) <= {"task-place", "replayed"}
    assert shop.reasons()[-1] == "replayed"
    assert shop.left() == 0
