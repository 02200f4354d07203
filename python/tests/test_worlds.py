"""A virtual world: many scripts at once, of which some are hostile, and what the others see of that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import brine
from sandbox_kit import refuse_without_confinement

AVATARS = 100
HOSTILE = [
    "while True: pass",
    "x = [1]\nwhile True: x += x",
    "def f(): return f()\nf()",
    "'x' * 10**12",
    "while True: me.step()",
    "found = [c for c in object.__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.__globals__['fork']\nwhile True: found()",
    "[c for c in object.__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.__globals__['_exit'](0)",
    "[c for c in object.__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.__globals__['write'](3, b'x' * 100)",
    "for n in range(10**9): me.look(n)",
    "me.__class__.__mro__[-1].__subclasses__()[-1].missing",
]


class Avatar:
    """What a script moves."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self) -> None:
        """Go one step."""
        self.steps += 1

    def look(self, at: int) -> int:
        """See something."""
        return at * 2


def test_a_hostile_tenth_changes_nothing_for_the_others() -> None:
    refuse_without_confinement()
    avatars = [Avatar() for _ in range(AVATARS)]

    def lives(number: int) -> str:
        script = "for n in range(5):\n    if me.look(n) == 2 * n: me.step()\n'lived'"
        if number % 10 == 0:
            script = HOSTILE[number // 10]
        me = brine.Power(avatars[number], ["step", "look"]).limited(calls=10_000)
        try:
            return str(
                brine.safe_eval(
                    script,
                    {"me": me},
                    ["def", "for", "while"],
                    memory="16MiB",
                    cpu="1s",
                    wall="30s",
                )
            )
        except brine.JobError as error:
            return error.reason

    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lives, range(AVATARS)))
    others = [number for number in range(AVATARS) if number % 10]
    assert {ends[number] for number in others} == {"lived"}
    assert {avatars[number].steps for number in others} == {5}
    hostile = [ends[number] for number in range(0, AVATARS, 10)]
    assert "lived" not in hostile
    known = {
        "out-of-processor-time",
        "out-of-memory",
        "raised",
        "guest-ended",
        "powers-protocol",
        "violated",
    }
    assert set(hostile) <= known, hostile
