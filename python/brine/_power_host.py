"""What ``brine work --powers MODULE:OBJECT`` starts: it serves the powers of an object until standard input ends."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import reduce
from pathlib import Path
from typing import Any

from brine._errors import UsageError
from brine._power import Power
from brine._power_server import PowerServer


def main() -> None:
    """Serve an object, and say on standard output for which powers, or why not."""
    text, directory = sys.argv[1:]
    # What the object reads and writes is none of the worker's.
    asked, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    with ExitStack() as servers:
        try:
            served = _served(text)
            for name, names in served.items():
                servers.enter_context(_server(Path(directory, name), name, names))
            answer: dict[str, Any] = {"powers": list(served)}
        except BaseException as error:  # noqa: BLE001
            answer = {"error": f"{type(error).__name__}: {error}"}
        os.write(answers, json.dumps(answer).encode() + b"\n")
        os.close(answers)
        if "error" in answer:
            sys.exit(1)
        while os.read(asked, 1 << 16):
            pass


def _served(text: str) -> dict[str, Any]:
    module, _, name = text.partition(":")
    if not module or not name:
        raise UsageError("expected MODULE:OBJECT, as in shop:powers", reason="usage")
    found = reduce(getattr, name.split("."), importlib.import_module(module))
    if not isinstance(found, Mapping):
        raise UsageError(
            f"expected a mapping from names of powers, and not {type(found).__qualname__}",
            reason="usage",
        )
    for power in found:
        if not isinstance(power, str) or "/" in power:
            raise UsageError(f"{power!r} is no name of a power", reason="usage")
    return {power: _names(power, given) for power, given in found.items()}


def _names(name: str, given: Any) -> Any:
    return {name: given} if isinstance(given, Power) else given


def _server(path: Path, name: str, names: Any) -> PowerServer:
    def end(why: Exception | None) -> None:
        if why is not None:
            print(f"brine: the power {name}: {type(why).__name__}: {why}", file=sys.stderr)

    return PowerServer(path, names, on_end=end)
