"""What tests of Huey start with: somebody who signs, and a shop on each storage."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import huey
import pytest
from huey import FileHuey, MemoryHuey, SqliteHuey
from huey.storage import RedisStorage

import brine.huey
from huey_kit import Shop

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def signed(alice: brine.Key, trust: brine.Trust, seen: Path) -> Callable[..., Shop]:
    """Signs a Huey in the name of alice."""

    def sign(made: Any = None, **options: Any) -> Shop:
        given = {"key": alice, "trust": trust, "expires": "1d", "replay_db": seen, **options}
        return Shop(brine.huey.sign(made or MemoryHuey("shop"), **given))

    return sign


@pytest.fixture(params=["memory", "sqlite", "file", "redis"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, signed: Callable[..., Shop]) -> Shop:
    """A shop on each storage."""
    if request.param == "memory":
        return signed()
    if request.param == "sqlite":
        return signed(SqliteHuey("shop", filename=str(tmp_path / "shop.db")))
    if request.param == "file":
        return signed(FileHuey("shop", path=str(tmp_path / "files")))
    port = request.getfixturevalue("servers")("redis").start_of.port
    place = {"host": "127.0.0.1", "port": port, "blocking": False}
    return signed(huey.Huey(f"shop-{secrets.token_hex(4)}", storage_class=RedisStorage, **place))
