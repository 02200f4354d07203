"""Objects as signed pickles."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, Protocol

from brine import _allow, _code, _unpickler
from brine._brine import Signer, Verifier
from brine._errors import AlteredError, Error, InputOutputError, UnsupportedError, UsageError
from brine._unsigned import Unsigned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from brine._allow import Allow
    from brine._brine import AllowList, Buffer, KeyLike, Trust, Verified


class _Readable(Protocol):
    def read(self) -> bytes: ...


class _Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


CONTENT_TYPE = "application/x-python-pickle"
"""The content type of objects, which is signed with them."""


def dumps(
    obj: object,
    *,
    context: str | None = None,
    key: KeyLike | Sequence[KeyLike] | None = None,
    signer: Signer | None = None,
    expires: datetime | timedelta | str | None = None,
    code: bool = False,
    protocol: int = 5,
) -> bytes:
    """Pickle an object, sign the pickle, and return the envelope.

    Without a ``key``, the default key signs. A ``signer`` stands for ``key``, ``context`` and ``expires``, and is cheaper
    where much is signed. With ``code``, functions and classes travel with the object, signed for the context
    ``"python-code/" + context``: only signers may send them for whom the trust file names such contexts.
    """
    if signer is None:
        signer = Signer(key, context=context_of(context, code), expires=expires)
    else:
        _only_one("signer", context=context, key=key, expires=expires)
        _check_context("signer", signer.context, code)
    return signer.sign(pickled(obj, code, protocol), content_type=content_type(code))


def loads(
    data: Buffer,
    *,
    context: str | None = None,
    allow: Allow = "std",
    trust: Trust | None = None,
    verifier: Verifier | None = None,
    signer: str | Sequence[str] | None = None,
    require: int | None = None,
    max_age: timedelta | str | None = None,
    code: bool = False,
    fallback: Unsigned | None = None,
) -> Any:
    """Verify an envelope, scan the pickle in it, load it with the names of a list, and return the object.

    ``allow`` is the list: ``"std"``, ``"numpy"``, lines like ``"shop.orders:Order"``, several of these, or a mapping that
    has such a list for each signer. A ``verifier`` stands for ``trust``, ``context``, ``signer``, ``require`` and
    ``max_age``, and is cheaper where much is loaded. With ``code``, what was signed with ``code`` is loaded, and can do anything. A
    ``fallback`` lets what was never signed pass through the same list, and counts it.

    Raise `Error`, and load nothing, if anything is wrong.
    """
    _check_loading(allow, code, fallback)
    if verifier is None:
        verifier = Verifier(
            trust,
            context=context_of(context, code),
            signer=signer,
            require=require,
            max_age=max_age,
        )
    else:
        _only_one(
            "verifier",
            context=context,
            trust=trust,
            signer=signer,
            require=require,
            max_age=max_age,
        )
        _check_context("verifier", verifier.context, code)
    try:
        verified = verifier.verify(data)
    except Error as error:
        if fallback is None or error.reason != "not-an-envelope":
            _explain_context(error, code)
            raise
        obj = unpickled(_frozen(data), _allow.allow_list(allow, None))
        fallback.note()
        return obj
    return from_verified(verified, allow=allow, code=code)


def dump(
    obj: object,
    file: _Writable,
    *,
    context: str | None = None,
    key: KeyLike | Sequence[KeyLike] | None = None,
    signer: Signer | None = None,
    expires: datetime | timedelta | str | None = None,
    code: bool = False,
    protocol: int = 5,
) -> None:
    """Write the envelope that `dumps` returns to a binary file. Nothing is written if it cannot be made."""
    file.write(
        dumps(
            obj,
            context=context,
            key=key,
            signer=signer,
            expires=expires,
            code=code,
            protocol=protocol,
        )
    )


def load(
    file: _Readable,
    *,
    context: str | None = None,
    allow: Allow = "std",
    trust: Trust | None = None,
    verifier: Verifier | None = None,
    signer: str | Sequence[str] | None = None,
    require: int | None = None,
    max_age: timedelta | str | None = None,
    code: bool = False,
    fallback: Unsigned | None = None,
) -> Any:
    """Read a binary file to its end, and load the object as `loads` does."""
    return loads(
        file.read(),
        context=context,
        allow=allow,
        trust=trust,
        verifier=verifier,
        signer=signer,
        require=require,
        max_age=max_age,
        code=code,
        fallback=fallback,
    )


def content_type(code: bool) -> str:
    """Return the content type under which objects are signed."""
    return _code.CONTENT_TYPE_HERE if code else CONTENT_TYPE


def pickled(obj: object, code: bool, protocol: int = 5) -> bytes:
    """Pickle an object."""
    try:
        return _code.dumps(obj, protocol) if code else pickle.dumps(obj, protocol)
    except RecursionError as error:
        raise UsageError("the object is nested too deep to be pickled", None, "too-deep") from error
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        hint = None if code else "functions, lambdas and classes of __main__ travel with code=True"
        raise UsageError(f"the object cannot be pickled: {error}", hint, "not-picklable") from error


def from_verified(verified: Verified, *, allow: Allow = "std", code: bool = False) -> Any:
    """Load the object of an envelope that has verified."""
    _check_content_type(verified, code)
    if code:
        _code.check_version(verified.content_type)
        return called(lambda: _code.loads(verified.payload))
    return unpickled(verified.payload, _allow.allow_list(allow, verified.signer))


def unpickled(data: bytes, allow: AllowList) -> object:
    """Scan a pickle, and load it with the names of a list."""
    imports = allow.scan_bare(data)
    return called(lambda: _unpickler.load(data, allow, imports))


def called(load: Callable[[], object]) -> object:
    """Load a pickle, and say in one form why it cannot be loaded."""
    try:
        return load()
    except Error:
        raise
    except MemoryError as error:
        raise InputOutputError("pickle: out of memory", None, "out-of-memory") from error
    except RecursionError as error:
        raise AlteredError("pickle: nested too deep to be loaded", None, "too-deep") from error
    except Exception as error:
        raise AlteredError(
            f"pickle: cannot be loaded: {_told(error)}", None, "load-failed"
        ) from error


def _told(error: Exception) -> str:
    """Say what an exception says. One that a pickle has made can fail to say it."""
    kind = type(error).__name__
    try:
        return f"{kind}: {error}"
    except Exception:  # noqa: BLE001
        return kind


def _check_content_type(verified: Verified, code: bool) -> None:
    found = verified.content_type
    if code and _code.is_code_context(verified.context) and _code.is_code_type(found):
        return
    if not code and found == CONTENT_TYPE:
        return
    hint = None
    if _code.is_code_type(found):
        hint = _CODE_HINT
    elif found == CONTENT_TYPE:
        hint = "what was signed without code=True is loaded without it"
    what = "no content type" if found is None else f"content type {found!r}"
    wanted = _code.CONTENT_TYPE if code else CONTENT_TYPE
    raise UnsupportedError(f"envelope has {what}, not {wanted!r}", hint, "wrong-content-type")


def _check_loading(allow: Allow, code: bool, fallback: Unsigned | None) -> None:
    if fallback is not None and not _counts(fallback):
        raise UsageError("fallback is a brine.Unsigned(), which counts", reason="usage")
    if code and fallback is not None:
        raise UsageError("code that nobody has signed is never loaded", reason="usage")
    if code and allow != "std":
        raise UsageError("no list holds for code, which can import anything", reason="usage")
    _allow.check(allow)


def _counts(fallback: object) -> bool:
    return isinstance(fallback, Unsigned)


def context_of(context: str | None, code: bool) -> str | None:
    """Return the context that is signed, where a caller names one."""
    if _code.is_code_context(context):
        raise UsageError(
            f"{context!r} is a context of code",
            'code=True puts "python-code/" before the context by itself',
            "usage",
        )
    return _code.context_for(context) if code else context


def _check_context(name: str, context: str | None, code: bool) -> None:
    if code and not _code.is_code_context(context):
        raise UsageError(
            f"{name} is not for code: its context is {context!r}",
            'the contexts of code begin with "python-code/"',
            "usage",
        )
    if not code and _code.is_code_context(context):
        raise UsageError(f"{name} is for code, and code=True is missing", reason="usage")


def _only_one(name: str, **others: object) -> None:
    given = [other for other, value in others.items() if value is not None]
    if given:
        raise UsageError(f"{name} stands for {given[0]}: give one of them", reason="usage")


def _explain_context(error: Error, code: bool) -> None:
    """Say what code needs, where code or a signer of code is refused for its context."""
    if code and error.reason == "context-not-allowed":
        error.hint = _GRANT_HINT
    elif not code and error.reason == "context-mismatch" and f'"{_code.CONTEXT}' in error.message:
        error.hint = _CODE_HINT


def _frozen(data: Buffer) -> bytes:
    return data if type(data) is bytes else memoryview(data).tobytes()


_CODE_HINT = (
    "it is code: loads(..., code=True) runs it, if the trust file lets its signer send code"
)

_GRANT_HINT = "trust in everything is none in code: \"brinekey trust add NAME KEY -c 'python-code/*'\" lets a signer send it"
