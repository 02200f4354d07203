"""Functions of a worker of arq that begin with what has verified, and that nobody else runs."""

from __future__ import annotations

import asyncio
import copy
from datetime import timedelta
from typing import Any

from arq.utils import timestamp_ms
from arq.worker import Retry

from brine._arq_pool import Delivery
from brine._errors import Error, UsageError

SPARE_SECONDS = 5
"""How much longer than its time limit a job is held. arq waits for twice as long until another worker may have it."""


def guarded(function: Any, limit_seconds: float) -> Any:
    """Return a function or a cron job of arq which does so. Others have this limit, unless it has its own."""
    limit = limit_seconds if function.timeout_s is None else function.timeout_s
    length = timedelta(seconds=limit + SPARE_SECONDS)
    run = function.coroutine

    async def coroutine(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        await _begin(ctx, length)
        return await run(ctx, *args, **kwargs)

    made = copy.copy(function)
    made.coroutine = coroutine
    return made


async def _begin(ctx: dict[Any, Any], length: timedelta) -> None:
    delivery = Delivery.current()
    if delivery is None or delivery.job_id != ctx["job_id"]:
        raise UsageError("nobody has verified it", reason="usage")
    if (wait_ms := delivery.eta_ms - timestamp_ms()) > 0:
        raise Retry(timedelta(milliseconds=wait_ms))
    try:
        await asyncio.to_thread(delivery.begin, length)
    except Error as error:
        if error.reason == "replay-busy":
            # If the worker that runs it has died, it can be had when nobody holds it any more.
            raise Retry(length) from error
        await delivery.refuse(error)
        raise
    ctx["signer"] = delivery.signer
