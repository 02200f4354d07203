"""What ``brine work --powers MODULE:OBJECT`` starts: it serves the powers of an object until standard input ends."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from brine._errors import UsageError
from brine._guest.raised import named
from brine._power import Power
from brine._power_server import PowerServer


def main() -> None:
    """Serve an object, and say on standard output for which powers, or why not."""
    text, directory = sys.argv[1:]
    # What the object reads and writes is none of the worker's.
    asked, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    places: list[Path] = []
    threading.Thread(target=_end_with, args=(asked, places), daemon=True).start()
    try:
        served = _served(text)
        for number, (name, names) in enumerate(served.items()):
            _server(Path(directory, f"{number}"), name, names)
            places.append(Path(directory, f"{number}"))
        answer: dict[str, Any] = {"powers": list(served)}
    except BaseException as error:  # noqa: BLE001
        answer = {"error": ": ".join(named(error))}
    os.write(answers, json.dumps(answer).encode() + b"\n")
    os.close(answers)
    if "error" in answer:
        os._exit(1)
    while True:
        time.sleep(3600)


def _end_with(asked: int, places: list[Path]) -> None:
    """End when the worker does, whatever else this process does."""
    while os.read(asked, 1 << 16):
        pass
    for place in places:
        with contextlib.suppress(OSError):
            place.unlink()
    os._exit(0)


def _served(text: str) -> dict[str, Any]:
    module, _, name = text.partition(":")
    if not module or not name:
        raise UsageError("expected MODULE:OBJECT, as in shop:powers", reason="usage")
    found = reduce(getattr, name.split("."), importlib.import_module(module))
    if not isinstance(found, Mapping):
        raise UsageError(
            f'expected a mapping from names of powers, like {{"orders": power}}, and not {type(found).__qualname__}',
            reason="usage",
        )
    for power in found:
        if not isinstance(power, str):
            raise UsageError(f"{power!r} is no name of a power", reason="usage")
    return {power: _names(power, given) for power, given in found.items()}


def _names(name: str, given: Any) -> Any:
    return {name: given} if isinstance(given, Power) else given


def _server(path: Path, name: str, names: Any) -> PowerServer:
    def end(why: BaseException | None) -> None:
        if why is not None:
            print(f"brine: the power {name}: {type(why).__name__}: {why}", file=sys.stderr)

    return PowerServer(path, names, on_end=end)
