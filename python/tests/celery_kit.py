"""An app of Celery for tests: tasks that note what they did, a worker in a thread, and the broker as an intruder has it."""

from __future__ import annotations

import base64
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu.asynchronous import set_event_loop

import brine.celery
from conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Shop:
    """Tasks, and what they did."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.ran: list[Any] = []
        self.deleted: list[int] = []
        self.requests: list[dict[str, Any]] = []
        app.conf.update(broker_connection_retry_on_startup=True, worker_prefetch_multiplier=0)

        @app.task(name="add", shared=False, bind=True)
        def add(task: Any, a: Any, b: Any = 0) -> Any:
            self.ran.append((a, b, getattr(task.request, "signer", "nobody")))
            self.requests.append(dict(vars(task.request)))
            return a + b

        @app.task(name="delete_user", shared=False)
        def delete_user(number: int) -> None:
            self.deleted.append(number)

        @app.task(name="flaky", shared=False, bind=True, max_retries=2)
        def flaky(task: Any) -> str:
            self.ran.append(task.request.retries)
            if task.request.retries < 2:
                raise task.retry(countdown=0.05)
            return "at last"

        @app.task(name="total", shared=False)
        def total(values: list[int]) -> int:
            return sum(values)

        @app.task(name="broken", shared=False)
        def broken() -> None:
            raise ValueError("it is broken")

        @app.task(name="note_error", shared=False)
        def note_error(request: Any, error: Any, traceback: Any) -> None:
            self.ran.append(str(error))

        self.add, self.delete_user, self.flaky = add, delete_user, flaky
        self.total, self.broken, self.note_error = total, broken, note_error

    @contextmanager
    def at_work(self, **options: Any) -> Iterator[Any]:
        """Have a worker at work in a thread."""
        # Older versions take the loop of the last worker, which looks at timers of that one.
        set_event_loop(None)
        given = {"pool": "solo", "perform_ping_check": False, "loglevel": "ERROR", **options}
        with start_worker(self.app, shutdown_timeout=30, **given) as worker:
            # Otherwise it looks only every ten seconds whether it is to end.
            worker.timer.call_repeatedly(0.1, bool)
            yield worker

    def work(self, **options: Any) -> None:
        """Have a worker do what is queued."""
        with self.at_work(**options) as worker:
            self.wait_for_end(worker)

    def wait_for_end(self, worker: Any) -> None:
        """Wait until a worker that has been given all has done it."""
        place = Broker(self.app)

        def is_idle() -> bool:
            return (
                not place.queued()
                and not place.unacknowledged()
                and not worker.state.reserved_requests
            )

        # A message that was taken is on its way for a moment.
        wait_until(lambda: is_idle() and not time.sleep(0.1) and is_idle(), 60)

    def reasons(self) -> list[str]:
        """Return why messages were refused."""
        return [one.reason for one in brine.celery.refused(self.app)]


class Broker:
    """Redis, as somebody has it who can read and write there."""

    def __init__(self, app: Celery) -> None:
        self.redis = redis.Redis.from_url(app.conf.broker_url)
        self.results = redis.Redis.from_url(app.conf.result_backend)

    def messages(self, queue: str = "celery") -> list[dict[str, Any]]:
        return [json.loads(one) for one in self.redis.lrange(queue, 0, -1)[::-1]]

    def queued(self) -> int:
        """Return how many messages wait."""
        return int(self.redis.llen("celery"))

    def unacknowledged(self) -> int:
        """Return how many messages are at work."""
        return int(self.redis.hlen("unacked"))

    def take(self, queue: str = "celery") -> dict[str, Any]:
        """Take the oldest message."""
        message: dict[str, Any] = json.loads(self.redis.rpop(queue))
        return message

    def put(self, message: Any, queue: str = "celery") -> None:
        """Put a message. Each delivery has a number of its own, as the broker gives it."""
        message["properties"]["delivery_tag"] = f"{time.monotonic_ns()}"
        self.redis.lpush(queue, json.dumps(message))


FORGED_COMMAND = {
    "body": base64.b64encode(b'{"method": "revoke", "arguments": {"task_id": "forged"}}').decode(),
    "headers": {"clock": 1, "expires": 0},
    "content-type": "application/json",
    "content-encoding": "utf-8",
    "properties": {
        "delivery_info": {"exchange": "celery.pidbox", "routing_key": ""},
        "delivery_mode": 2,
        "delivery_tag": "x",
        "body_encoding": "base64",
        "priority": 0,
    },
}
"""What a client sends that nobody signs, to revoke a task."""
