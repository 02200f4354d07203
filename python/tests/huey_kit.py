"""A shop whose tasks are done by Huey: tasks that note what they did, and the storage as an intruder has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brine.huey


class Shop:
    """Tasks, what they did, and a consumer that does what there is."""

    def __init__(self, made: Any) -> None:
        self.huey = made
        self.ran: list[Any] = []
        self.deleted: list[int] = []

        @made.task(context=True, name="add")
        def add(a: Any, b: Any = 0, task: Any = None) -> Any:
            self.ran.append((a, b, getattr(task, "signer", "nobody")))
            return a + b

        @made.task(name="delete_user")
        def delete_user(number: int) -> None:
            self.deleted.append(number)

        @made.task(retries=2, name="flaky")
        def flaky() -> str:
            self.ran.append("flaky")
            if self.ran.count("flaky") < 3:
                raise ValueError("not yet")
            return "at last"

        @made.task(name="total")
        def total(values: list[int]) -> int:
            return sum(values)

        self.add, self.delete_user, self.flaky, self.total = add, delete_user, flaky, total

    def work(self) -> None:
        """Do what the threads of a consumer do, until nothing is due."""
        for task in self.huey.read_schedule():
            self.huey.enqueue(task)
        while (task := self.huey.dequeue()) is not None:
            self.huey.execute(task)

    @property
    def raw(self) -> Any:
        """The storage, as somebody has it who can write to it."""
        return getattr(self.huey.storage, "inner", self.huey.storage)

    def queued(self) -> bytes:
        """Take the message that is queued."""
        data = self.raw.dequeue()
        assert data is not None
        return bytes(data)

    def reasons(self) -> list[str]:
        """Return why messages were refused."""
        return [one.reason for one in brine.huey.refused(self.huey)]


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))
