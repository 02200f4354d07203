"""Fixtures of taskiq's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("taskiq")
pytest.importorskip("taskiq_redis")


from taskiq_kit import DATABASE, Shop

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def signed(signing: dict[str, Any]) -> Callable[..., Shop]:
    """Makes a shop whose tasks alice signs."""
    return lambda **more: Shop(None, {**signing, **more})


@pytest.fixture
def url(servers: Callable[[str], Any]) -> str:
    """Where a database of Redis is."""
    return f"redis://127.0.0.1:{servers('redis').start_of.port}/{DATABASE}"
