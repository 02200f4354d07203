"""What the result of a Python job says: a value, an exception, or why there is neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from brine import _allow, _code, _objects
from brine._brine import cbor_decode
from brine._errors import AlteredError, UntrustedError
from brine._job_errors import JobRefusedError, RemoteError, of_result

if TYPE_CHECKING:
    from brine._allow import Allow
    from brine._brine import JobResult

VERSION = 1


class AnswerRules:
    """Whose results are believed, and what they may load here."""

    def __init__(
        self, allow: Allow, code_from: frozenset[str] | bool, answers_from: frozenset[str] | bool
    ) -> None:
        self._allow = allow
        self._code_from = code_from
        self._answers_from = answers_from

    @property
    def takes_code(self) -> bool:
        """Whether results of anybody may be code."""
        return bool(self._code_from)

    def refuse_signer(self, signer: str) -> None:
        """Raise if a signer may not answer."""
        if not _includes(self._answers_from, signer):
            raise UntrustedError(
                f"{signer} has signed a result, and may not answer", None, "wrong-signer"
            )

    def value(self, result: JobResult) -> Any:
        """Return the value of a job, or raise why there is none."""
        if result.status != 0:
            raise of_result(result)
        try:
            return self._of_answer(_members(result.output), result)
        except (JobRefusedError, RemoteError) as error:
            error._job_result = result
            raise

    def _of_answer(self, answer: dict[str, Any], result: JobResult) -> Any:
        match answer:
            case {"v": _, "value": value, **rest} if not rest:
                return value
            case {"v": _, "pickle": bytes(data), **rest} if not rest:
                return _objects.unpickled(data, _allow.allow_list(self._allow, result.signer))
            case {"v": _, "code": bytes(data), "python": str(python), **rest} if not rest:
                return self._loaded(data, python, result.signer)
            case {
                "v": _,
                "error": {"type": str(kind), "message": str(text), "traceback": str(trace)},
                **rest,
            } if not rest:
                raise RemoteError.of(kind, text, trace)
            case {
                "v": _,
                "refused": {"reason": str(reason), "message": str(message)},
                **rest,
            } if not rest:
                raise JobRefusedError(message, None, reason, 3)
            case _:
                raise _malformed("its members are not those of one")

    def _loaded(self, data: bytes, python: str, signer: str) -> Any:
        """Load code, if it is of a worker from which this caller takes it."""
        if not _includes(self._code_from, signer):
            raise UntrustedError(
                f"{signer} answers with code, which is not allowed",
                f"code=[{signer!r}] lets its results run here" if self._code_from else None,
                "result-is-code",
            )
        _code.check_version(f"{_code.CONTENT_TYPE}; python={python}")
        return _objects.called(lambda: _code.loads(data))


def _members(output: bytes) -> dict[str, Any]:
    try:
        answer = cbor_decode(output)
    except ValueError as error:
        raise _malformed(str(error)) from None
    if not isinstance(answer, dict) or answer.get("v") != VERSION:
        raise _malformed("it is of no version that is known here")
    return answer


def _malformed(why: str) -> AlteredError:
    return AlteredError(f"the output of the job is no answer: {why}", None, "answer-form")


def _includes(names: frozenset[str] | bool, name: str) -> bool:
    return names if isinstance(names, bool) else name in names
