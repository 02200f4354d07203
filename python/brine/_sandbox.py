"""Code that is trusted only so far: evaluated in a confined process, with what it was given and nothing else."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Self

from brine import _code, _sandbox_setup
from brine._errors import Error, UsageError
from brine._guest.cbor import NotPlainError
from brine._guest.peer import PowerError, ProtocolError, Thrown
from brine._guest_process import GuestProcess
from brine._job_errors import JobError, JobTimeoutError, RemoteError
from brine._power import seconds
from brine._power_table import Guest
from brine._sandbox_errors import RULES, GuestError, RuleError, of_verdict
from brine._stays import Stays
from brine._wire import Deadline, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

MAX_PLACE = 1 << 31


def safe_eval(
    code: str,
    ns: Mapping[str, Any] | None = None,
    operations: Iterable[str] = (),
    modules: Iterable[str] = (),
    *,
    builtins: Iterable[str] | None = None,
    code_from: Iterable[str] | None = None,
    no_code_from: Iterable[str] = (),
    memory: int | str = "64MiB",
    cpu: str | float | timedelta = "2s",
    wall: str | float | timedelta = "5s",
) -> Any:
    """Evaluate code in a guest of its own, and return the value of the expression at its end.

    ``ns`` is what the code finds by name: plain data, which is copied, and `Power` over what stays here. ``operations`` are
    the statements that it may use, as in ``["import", "def", "for", "while"]``; expressions, assignments and ``if`` need
    none. The other arguments are those of `Sandbox`.
    """
    with Sandbox(
        ns,
        operations,
        modules,
        builtins=builtins,
        code_from=code_from,
        no_code_from=no_code_from,
        memory=memory,
        cpu=cpu,
        wall=wall,
    ) as sandbox:
        return sandbox.evaluate(code)


class Sandbox(Stays):
    """A guest: a confined process that evaluates code, with names that last from one evaluation to the next.

    It has no files, no network and no other process; ``memory`` bounds all that it has, ``cpu`` its processor time as a
    whole, ``wall`` each evaluation, and ``lifetime`` how long it is there at all. Give each party whose code you run a guest
    of its own: code of one can do anything to code of another in the same guest.

    - ``ns`` is what code finds by name: plain data, and `Power`.
    - ``operations`` are the statements that it may use: ``assert``, ``async``, ``class``, ``def``, ``del``, ``for``,
      ``global``, ``import``, ``match``, ``nonlocal``, ``raise``, ``try``, ``type``, ``while`` and ``with``.
    - ``modules`` are those that ``import`` finds, with all that is below them.
    - ``builtins`` are the builtins that it has, by default those that touch nothing outside.
    - ``code_from`` has the only modules whose functions may run, and ``no_code_from`` those whose functions may not, also
      where another module leads to them. A name stands for the half in C of a module, too. They take CPython 3.12 or later.

    The process and the kernel hold what the guest can reach. The rules of the language are held by the interpreter alone:
    they are for mistakes, and not for attackers.
    """

    def __init__(
        self,
        ns: Mapping[str, Any] | None = None,
        operations: Iterable[str] = (),
        modules: Iterable[str] = (),
        *,
        builtins: Iterable[str] | None = None,
        code_from: Iterable[str] | None = None,
        no_code_from: Iterable[str] = (),
        memory: int | str = "64MiB",
        cpu: str | float | timedelta = "2s",
        wall: str | float | timedelta = "5s",
        lifetime: str | float | timedelta = "1h",
    ) -> None:
        setup = _sandbox_setup.rules(operations, modules, builtins, code_from, no_code_from)
        limits = _sandbox_setup.limits(memory, cpu, lifetime)
        names = _sandbox_setup.names("ns", ns)
        self._wall, self._maker = seconds(wall), os.getpid()
        self._deadline = Deadline()
        self._is_at_work = False
        self._process: GuestProcess | None = GuestProcess(setup, limits)
        self._leftover = weakref.finalize(self, _end_leftover, self._process, self._maker)
        # When this process ends, its guests do.
        self._leftover.atexit = False
        self._socket = self._process.socket
        wire = Wire(self._socket, self._deadline, self._deadline)
        self._guest = Guest(wire.read, wire.write)
        try:
            self._asked(lambda: self._guest.hello(names))
        except BaseException:
            self.close()
            raise

    def evaluate(self, code: str, /, **names: Any) -> Any:
        """Run code, and return the value of the expression at its end; `None` if it ends with a statement.

        ``names`` are more names, which last.
        """
        if not isinstance(code, str):
            raise UsageError("code: expected text", reason="usage")
        given = [code, _sandbox_setup.names("names", names)]
        return self._value(self._asked(lambda: self._guest.call_root("evaluate", given)))

    def call(self, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:
        """Call a function in the guest: one of an importable module by its name, and others by their code.

        ``operations``, ``modules`` and ``builtins`` do not hold it: they are about code that is evaluated, and this was compiled
        here. What it may do is bounded by the process, and by ``code_from`` and ``no_code_from``.
        """
        try:
            pickled = _code.dumps(function, 5)
        except Error:
            raise
        except Exception as error:
            # Whatever it has can refuse to be pickled, in words of its own.
            raise UsageError(f"the function cannot be sent: {error}", reason="not-plain") from error
        given = [pickled, list(arguments), keywords]
        return self._value(self._asked(lambda: self._guest.call_root("call", given)))

    def close(self) -> None:
        """End the guest. Powers that it had are as they were."""
        process, self._process = self._process, None
        self._leftover.detach()
        if process is None or self._maker != os.getpid():
            return
        if self._is_at_work:
            # Somebody reads from it, who closes it then.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        else:
            self._socket.close()
        process.kill()
        process.end()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the guest."""
        self.close()

    def __repr__(self) -> str:
        return f"<brine.Sandbox {'ended' if self._process is None else 'at work'}>"

    def _asked(self, work: Callable[[], Any]) -> Any:
        """Do something with the guest. Whatever it says that is wrong ends it."""
        if self._process is None:
            raise UsageError("the guest has ended", reason="usage")
        if self._maker != os.getpid():
            raise UsageError("the guest belongs to the process that made it", reason="usage")
        if self._is_at_work:
            raise UsageError(
                "the guest is at work: neither another thread nor a power that it uses can use it meanwhile",
                reason="usage",
            )
        self._is_at_work = True
        self._deadline.begin(self._wall)
        try:
            return work()
        except NotPlainError as error:
            raise UsageError(
                f"only plain data and powers cross: {error}", reason="not-plain"
            ) from None
        except PowerError as error:
            raise UsageError(str(error), reason=error.reason) from None
        except TimeoutError:
            self.close()
            raise JobTimeoutError(
                "the guest took longer than it may", None, "timed-out", 124
            ) from None
        except ProtocolError as error:
            self.close()
            raise GuestError(
                f"the guest said what none says: {error}", None, "powers-protocol", 1
            ) from None
        except OSError:
            raise self._ended() from None
        except Thrown as thrown:
            raise RemoteError.of(thrown.kind, thrown.message, thrown.text) from None
        except BaseException:
            # An answer that still comes would be taken for that of the next question.
            self.close()
            raise
        finally:
            self._put_down()

    def _put_down(self) -> None:
        self._is_at_work = False
        if self._process is None:
            # It was closed meanwhile, by whomever.
            self._socket.close()

    def _ended(self) -> JobError:
        """Say why the guest is gone. Another thread, or a method of a power, may have closed it meanwhile."""
        process, self._process = self._process, None
        self._leftover.detach()
        self._socket.close()
        if process is None:
            return GuestError("the sandbox was closed", None, "guest-ended", 1)
        return of_verdict(*process.end())

    def _value(self, answer: Any) -> Any:
        match answer:
            case {"value": value, **rest} if not rest:
                return value
            case {"raised": [str(kind), str(message), str(text)], **rest} if not rest:
                raise RemoteError.of(kind, message, text)
            case {"broken": [str(rule), str(message), line, column], **rest} if (
                not rest and rule in RULES
            ):
                if rule == "code-from":
                    self.close()
                raise RuleError.of(rule, message, _place(line), _place(column))
            case _:
                self.close()
                raise GuestError("the guest said what none says", None, "powers-protocol", 1)


def _end_leftover(process: GuestProcess, maker: int) -> None:
    """End a guest whose sandbox nobody has any more."""
    if maker == os.getpid():
        warnings.warn("a sandbox was not closed", ResourceWarning, stacklevel=2)
        process.kill()


def _place(number: Any) -> int | None:
    """Return a line or a column, if a guest has said one that can be."""
    return number if type(number) is int and 0 < number <= MAX_PLACE else None
