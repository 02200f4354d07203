"""Loads mutated pickles, each signed by alice, and ends with 1 if one does something that no list allows.

It runs as a program of its own, because an audit hook is never removed.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import ipaddress
import os
import pathlib
import pickle
import sys
import uuid
import zoneinfo
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import brine

try:
    import numpy as np
except ImportError:
    np = None  # type: ignore[assignment,unused-ignore]

ALLOW = ["std", "numpy"]
LISTED = brine.AllowList(*ALLOW)
MODULES = {module for module, _ in LISTED.pairs()}

QUIET = (
    "builtins.id",
    "object.__getattr__",
    "object.__setattr__",
    "gc.",
    "sys._getframe",
    "code.__new__",
    "sys.unraisablehook",
)
counts = collections.Counter[str]()
armed = False
seen: list[tuple[str, Any]] = []


def hook(event: str, arguments: Any) -> None:
    """Note what happens while a pickle is loaded, but for imports of listed names."""
    if not armed or event.startswith(QUIET):
        return
    if event == "import" and any(f"{module}.".startswith(f"{arguments[0]}.") for module in MODULES):
        return
    if event == "pickle.find_class" and LISTED.allows(*arguments):
        counts["found"] += 1
        return
    if event == "open" and "zoneinfo" in str(arguments[0]):
        return
    seen.append((event, arguments))


def values() -> list[object]:
    """Values of everything that is on the lists."""
    found: list[object] = [
        {"a": [1, 2.5, "x", b"y", (True, None)], "b": {3}, "c": frozenset([4])},
        datetime.datetime(2026, 11, 29, tzinfo=zoneinfo.ZoneInfo("UTC")),
        [datetime.timedelta(1), datetime.date(2026, 1, 1), datetime.UTC],
        [collections.Counter("ab"), collections.OrderedDict(a=1), collections.deque([1], 3)],
        collections.defaultdict(list, a=[1]),
        [decimal.Decimal("1.5"), fractions.Fraction(1, 3), complex(1, 2), range(4), slice(1)],
        [uuid.UUID(int=3), pathlib.PurePosixPath("a/b"), ipaddress.ip_address("::1")],
        [ValueError("a"), KeyError("b"), bytearray(b"abc"), object, int, ...],
    ]
    if np is not None:
        found += [
            np.arange(6).reshape(2, 3),
            [np.float32(1), np.dtype("i4"), np.dtype([("a", "i4"), ("b", "O")])],
            np.array([1, "a"], object),
            np.random.RandomState(3),
        ]
    return found


BASES = [pickle.dumps(value, protocol) for value in values() for protocol in range(6)]
HOSTILE = [
    b"cos\nsystem\n", b"\x8c\x02os\x8c\x06system\x93", b"cbuiltins\neval\n", b"cbuiltins\ngetattr\n",
    b"\x82\x01", b"Vmark\n", b"R", b"b", b"\x81", b"o", b"(", b"t", b"\x85", b"}", b"s", b"u", b"e", b"a",
    b"0", b"1", b"2", b"h\x00", b"q\x00", b"\x94", b"]", b")", b"N", b"Q", b"P1\n", b".", b"\x80\x02",
]  # fmt: skip


@st.composite
def pickles(draw: st.DrawFn) -> bytes:
    """A pickle, after some changes."""
    data = bytearray(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        change = draw(st.integers(0, 4))
        if change == 0 and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif change == 1:
            data[at:at] = draw(st.sampled_from(HOSTILE))
        elif change == 2:
            del data[at : at + draw(st.integers(1, 4))]
        elif change == 3:
            other = draw(st.sampled_from(BASES))
            start = draw(st.integers(0, len(other)))
            data[at:at] = other[start : start + draw(st.integers(1, 40))]
        else:
            data[at:at] = data[: draw(st.integers(0, 20))]
    return bytes(data)


KEY = brine.Key.generate()
SIGNER = brine.Signer(KEY, content_type="application/x-python-pickle")
VERIFIER = brine.Verifier(brine.Trust.of({"alice": KEY.public}))


@seed(int(os.environ.get("BRINE_TEST_SEED", "1")))
@settings(
    max_examples=int(os.environ.get("BRINE_TEST_EXAMPLES", "500")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(pickles())
def loads_or_refuses(data: bytes) -> None:
    """Load, and see that nothing else happened."""
    global armed
    envelope = SIGNER.sign(data)
    armed = True
    try:
        brine.loads(envelope, verifier=VERIFIER, allow=ALLOW)
        counts["loaded"] += 1
    except brine.Error as error:
        counts[error.reason] += 1
    except MemoryError:
        counts["memory"] += 1
    finally:
        armed = False
    assert not seen, (data, seen)


def main() -> None:
    """Load everything once, so that its modules are there, and then under the hook."""
    for data in BASES:
        brine.loads(SIGNER.sign(data), verifier=VERIFIER, allow=ALLOW)
    sys.addaudithook(hook)
    loads_or_refuses()
    print(dict(counts.most_common()))


if __name__ == "__main__":
    main()
