"""What tests of RQ start with: an empty Redis, somebody who signs, and a shop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import redis

import brine
import brine.rq
from rq_kit import ATTEMPTS, Shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from server_kit import Server


@pytest.fixture
def connection(servers: Callable[[str], Server]) -> Iterator[Any]:
    """Return an empty Redis."""
    made = redis.Redis(port=servers("redis").start_of.port)
    made.flushall()
    yield made
    made.close()


@pytest.fixture
def signed(alice: brine.Key, trust: brine.Trust, seen: Path) -> Callable[..., Any]:
    """Signs in the name of alice."""

    def sign(**options: Any) -> Any:
        given = {"key": alice, "trust": trust, "expires": "1d", "replay_db": seen, **options}
        return brine.rq.sign(**given)

    return sign


@pytest.fixture
def shop(connection: Any, signed: Callable[..., Any]) -> Shop:
    """A shop whose jobs are signed."""
    return Shop(connection, signed())


@pytest.fixture(params=ATTEMPTS)
def open_shop(request: pytest.FixtureRequest, connection: Any) -> Shop:
    """A shop whose jobs are not signed, or whose serializer signs."""
    return Shop(connection, ATTEMPTS[request.param]())
