"""Where messages of Dramatiq are kept that were refused: whole, and whatever others put beside them."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("dramatiq")

import brine
import brine.dramatiq
from dramatiq_kit import Shop, broker_of, signing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def signed(
    servers: Callable[[str], Any], alice: brine.Key, trust: brine.Trust, seen: Path
) -> Callable[[str], Shop]:
    """Opens a signed shop on a broker."""
    sign = signing(key=alice, trust=trust, replay_db=seen)
    return lambda kind: sign(broker_of(kind, servers), f"shop-{secrets.token_hex(4)}")


KEPT = {"reason": "replayed", "message": "", "at": "2026-01-01T00:00:00", "place": ""}

OTHERS: list[dict[str, Any]] = [{"at": 7}, {"at": "0001-01-01T00:00:00+23:59"}, {"at": "today"}]


def test_what_others_put_among_the_refused_in_redis_hides_none(
    signed: Callable[[str], Shop],
) -> None:
    shop = signed("redis")
    others = [{"content": 7}, *({"content": ""} | one for one in OTHERS)]
    told = [json.dumps(KEPT | other).encode() for other in [*others, {"content": ""}]]
    key = f"{shop.broker.namespace}:brine.refused"
    shop.broker.client.rpush(key, b"", b"\xff", b"[]", b"{}", b"[" * 100_000, *told)
    shop.put(b"garbage")
    shop.work(refused=2)
    # The last one has the form, and says no zone.
    assert shop.reasons() == ["replayed", "not-an-envelope"]


def test_what_others_put_among_the_refused_in_rabbitmq_hides_none(
    signed: Callable[[str], Shop],
) -> None:
    shop = signed("rabbitmq")
    import pika

    for headers in (None, {}, *(KEPT | other for other in OTHERS), KEPT):
        properties = pika.BasicProperties(headers=headers)
        shop.broker.channel.basic_publish("", "brine.refused", b"", properties)
    shop.put(b"garbage")
    shop.work(refused=2)
    assert shop.reasons() == ["replayed", "not-an-envelope"]


@pytest.mark.time_limit(120)
def test_what_is_as_long_as_rabbitmq_takes_is_kept_whole(signed: Callable[[str], Shop]) -> None:
    shop = signed("rabbitmq")
    version = shop.broker.connection._impl.server_properties["version"]
    longest = b"x" * (1024 * 1024 * (16 if int(version.split(".")[0]) >= 4 else 128))
    shop.put(longest)
    shop.work(refused=1)
    kept = brine.dramatiq.refused(shop.broker)
    # It is not shown if it fails.
    assert [(one.reason, one.content == longest) for one in kept] == [("not-an-envelope", True)]
