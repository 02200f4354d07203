"""The guest of `brine.Sandbox`: it evaluates what its host sends, with what its host gave it."""

from __future__ import annotations

import os
import sys

from brine._guest.cbor import decode
from brine._guest.language import Broken, Language
from brine._guest.origins import Origins, unwatched
from brine._guest.peer import LostError, PowerError, ProtocolError, told
from brine._guest.raised import harmless, trail
from brine._guest.stubs import Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Never

END_RECURSION = 100
"""How much deeper than code of the guest it goes to end it."""


class Evaluator:
    """What the host calls, as the other end itself."""

    def __init__(self, host: Host, setup: dict[str, Any], names: dict[str, Any]) -> None:
        self._host = host
        self._language = Language(setup["operations"], setup["builtins"], setup["modules"])
        self._namespace = self._language.namespace({**names, "PowerError": PowerError})
        self._setup = setup
        self._is_watched = False

    def evaluate(self, source: str, names: dict[str, Any]) -> dict[str, Any]:
        """Run code in the namespace that lasts, and return the value of the expression at its end."""
        self._namespace.update(names)
        try:
            statements, value = unwatched(lambda: self._language.compiled(source))
        except Broken as broken:
            return _broken(broken)
        return self._answered(lambda: self._run(statements, value))

    def _run(self, statements: Any, value: Any) -> Any:
        self._watch()
        if statements is not None:
            exec(statements, self._namespace)  # noqa: S102
        return None if value is None else eval(value, self._namespace)

    def call(
        self, pickled: bytes, arguments: list[Any], keywords: dict[str, Any]
    ) -> dict[str, Any]:
        """Call a function that was pickled with its code."""

        import pickle

        def run() -> Any:
            function = unwatched(lambda: pickle.loads(pickled))
            self._watch()
            return function(*arguments, **keywords)

        return self._answered(run)

    def _watch(self) -> None:
        """Look at whose code runs, from the first code of the guest on."""
        only, never = self._setup["code_from"], self._setup["no_code_from"]
        if (only is not None or never) and not self._is_watched:
            self._is_watched = True
            Origins(only, never, self._end).begin()

    def _answered(self, work: Any) -> dict[str, Any]:
        try:
            value = work()
        except (LostError, ProtocolError):
            raise
        except BaseException as error:  # noqa: BLE001
            return {"raised": [*told(error), trail(error)]}
        return {"value": value}

    def _end(self, module: str, name: str, line: int | None) -> Never:
        """End the guest, since code runs that may not. Nothing that could catch it runs any more."""
        sys.setrecursionlimit(sys.getrecursionlimit() + END_RECURSION)
        what = f"{harmless(name)[:200]!r} of the module {harmless(module)[:200]!r}"
        broken = Broken("code-from", f"{what} may not run", line)
        self._host.end(_broken(broken), broken.message)


def _broken(broken: Broken) -> dict[str, Any]:
    return {"broken": [broken.rule, broken.message, broken.line, broken.column]}


def main() -> None:
    """Serve the host until it is gone."""
    setup = decode(sys.stdin.buffer.read(), list)
    sys.setrecursionlimit(setup["recursion"])
    host = Host()
    host.root = Evaluator(host, setup, host.names())
    try:
        host.serve()
    except LostError:
        pass
    sys.stdout.flush()
    os._exit(0)
