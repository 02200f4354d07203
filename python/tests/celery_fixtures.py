"""What tests of Celery start with: an app that signs nothing, options for one that does, and both in turn."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery

import brine.celery
from celery_kit import Broker, Shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_garbage() -> Iterator[None]:
    """Collect results that were forgotten while their store is there: they tell it, and otherwise try for twenty seconds."""
    yield
    gc.collect()


@pytest.fixture
def plain(servers: Callable[[str], Any]) -> Celery:
    """An app that signs nothing, on an empty Redis."""
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
    """What alice gives to sign an app."""
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
