"""Functions of a worker of arq that begin with what has verified, and that nobody else runs."""

from __future__ import annotations

import asyncio
import copy
from datetime import timedelta
from typing import Any, NoReturn

from arq.constants import retry_key_prefix
from arq.utils import timestamp_ms
from arq.worker import Retry, func

from brine._arq_deliveries import LATER, Delivery
from brine._errors import UsageError

WAIT = timedelta(seconds=5)
"""How long a job waits that cannot be judged now, or that somebody else runs."""

TRIES_KEPT_SECONDS = 88400
"""As arq keeps them."""

ANY_NUMBER = 2**63


def guarded(function: Any) -> Any:
    """Return a function or a cron job of arq which does so."""
    run = function.coroutine

    async def coroutine(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        await _begin(ctx)
        return await run(ctx, *args, **kwargs)

    made = copy.copy(function)
    made.coroutine = coroutine
    return made


def later() -> Any:
    """Return the function that puts off what cannot be judged now."""

    async def put_off(ctx: dict[Any, Any]) -> NoReturn:
        await _put_off(ctx, WAIT)

    return func(put_off, name=LATER, max_tries=ANY_NUMBER)


async def _begin(ctx: dict[Any, Any]) -> None:
    delivery = Delivery.current()
    if delivery is None or delivery.job_id != ctx["job_id"]:
        raise UsageError("nobody has verified it", reason="usage")
    if (wait_ms := delivery.eta_ms - timestamp_ms()) > 0:
        await _put_off(ctx, timedelta(milliseconds=wait_ms))
    try:
        await asyncio.to_thread(delivery.begin)
    except Exception as error:
        if await delivery.is_refused(error):
            raise
        await _put_off(ctx, WAIT)
    ctx["signer"] = delivery.signer


async def _put_off(ctx: dict[Any, Any], wait: timedelta) -> NoReturn:
    """Have arq try a job again. That it did not run is no try."""
    tries = ctx["job_try"] - 1
    await ctx["redis"].setex(retry_key_prefix + ctx["job_id"], TRIES_KEPT_SECONDS, tries)
    raise Retry(wait)
