"""Fixtures of arq's tests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("arq")


from arq_kit import Scene, Shops

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@pytest.fixture
def scene(servers: Callable[[str], Any], signing: dict[str, Any]) -> Scene:
    """Plays a scene with a server."""
    port = servers("redis").start_of.port

    def play(scene: Callable[[Shops], Awaitable[None]]) -> None:
        async def main() -> None:
            async with Shops(port, signing).open() as shops:
                await scene(shops)

        asyncio.run(main())

    return play
