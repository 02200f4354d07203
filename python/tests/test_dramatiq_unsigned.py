"""Dramatiq with a fallback, while some producers do not sign yet: what nobody has signed is nobody's to the end."""

from __future__ import annotations

import json
import pickle
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq.middleware import CurrentMessage

import brine
from conftest import wait_until
from dramatiq_kit import BROKERS, Shop, broker_of, signing

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def fallback() -> brine.Unsigned:
    """What lets unsigned messages pass."""
    return brine.Unsigned()


@pytest.fixture(params=BROKERS)
def pair(
    request: pytest.FixtureRequest,
    servers: Callable[[str], Any],
    alice: brine.Key,
    trust: brine.Trust,
    seen: Path,
    fallback: brine.Unsigned,
) -> tuple[Shop, Shop]:
    """A shop without signatures and a signed one that lets its messages pass, on each broker."""
    queue = f"shop-{secrets.token_hex(4)}"
    sign = signing(key=alice, trust=trust, replay_db=seen, fallback=fallback)
    plain = Shop(broker_of(request.param, servers), queue)
    shop = sign(broker_of(request.param, servers), queue)
    shop.numbers = plain.numbers
    return plain, shop


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


def test_moving_to_signatures(pair: tuple[Shop, Shop], fallback: brine.Unsigned) -> None:
    plain, shop = pair
    plain.add.send(1)
    old = plain.queued()
    pickled = pickle.dumps(json.loads(old) | {"args": (2,)})
    shop.put(old)
    with pytest.warns(brine.UnsignedWarning):
        shop.work(ran=1)
    shop.numbers[pickled] = shop.numbers.get(old, b"")
    for data in (pickled, pickle.dumps(Evil()), b"{"):
        shop.put(data)
    shop.work(ran=2, refused=2)
    assert shop.ran == [(1, 0, None), (2, 0, None)]
    assert fallback.count == 2
    assert sorted(shop.reasons()) == ["import-not-allowed", "task-form"]


@pytest.mark.filterwarnings("ignore::brine.UnsignedWarning")
def test_a_retry_of_an_unsigned_message_has_no_signer(
    pair: tuple[Shop, Shop], fallback: brine.Unsigned
) -> None:
    plain, shop = pair
    signers: list[str | None] = []

    def only_signed() -> None:
        signers.append(CurrentMessage.get_current_message().signer)
        if len(signers) < 3:
            raise PermissionError("nobody has signed it")

    options: dict[str, Any] = {"queue_name": plain.queue, "min_backoff": 1, "max_backoff": 2}
    sent = dramatiq.actor(only_signed, broker=plain.broker, **options).send
    dramatiq.actor(only_signed, broker=shop.broker, **options)
    sent()
    shop.put(plain.queued())
    with shop.at_work():
        wait_until(lambda: len(signers) == 3)
        wait_until(lambda: shop.left() == 0)
    assert (signers, shop.reasons()) == ([None] * 3, [])
    # Each retry waits in the delay queue first.
    assert fallback.count == 5


@pytest.mark.filterwarnings("ignore::brine.UnsignedWarning")
def test_a_delayed_unsigned_message_has_no_signer(pair: tuple[Shop, Shop]) -> None:
    plain, shop = pair
    plain.add.send_with_options(args=(1,), delay=100)
    shop.put(plain.queued(is_delayed=True), is_delayed=True)
    with shop.at_work():
        wait_until(lambda: shop.ran == [(1, 0, None)])
        wait_until(lambda: shop.left() == 0)
    assert shop.reasons() == []
