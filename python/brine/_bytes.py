"""Signing and verifying bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brine._brine import Signer, Verified, Verifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from brine._brine import Buffer, KeyLike, Trust


def sign(
    data: Buffer,
    *,
    context: str | None = None,
    expires: datetime | timedelta | str | None = None,
    not_before: datetime | timedelta | str | None = None,
    key: KeyLike | Sequence[KeyLike] | None = None,
    detached: bool = False,
    armor: bool = False,
    content_type: str | None = None,
    aad: Buffer | None = None,
) -> bytes:
    """Sign bytes, and return the envelope, which has them and the signature.

    ``data`` is anything with a buffer: ``bytes``, ``bytearray``, a ``memoryview`` of any shape, an array. Its bytes are
    signed as they are at the call. A list of keys signs together, each with a signature of its own. ``Signer`` describes the arguments, and its ``sign`` the two forms ``detached`` and
    ``armor``. To sign many times, keep a ``Signer``: it reads the key once.
    """
    signer = Signer(
        key,
        context=context,
        expires=expires,
        not_before=not_before,
        content_type=content_type,
        aad=aad,
    )
    return signer.sign(data, detached=detached, armor=armor)


def verify(
    envelope: Buffer,
    payload: Buffer | None = None,
    *,
    context: str | None = None,
    signer: str | Sequence[str] | None = None,
    require: int | None = None,
    max_age: timedelta | str | None = None,
    trust: Trust | None = None,
    aad: Buffer | None = None,
    now: datetime | timedelta | str | None = None,
    typ: str | None = None,
    untyped: bool = False,
    untagged: bool = False,
    outer_tags: bool = False,
    try_keys: int | None = None,
) -> Verified:
    """Verify an envelope, or a detached signature over ``payload``, and return what has verified.

    Raise an ``Error`` that says why if it has not: nothing of it is returned then. ``Verifier`` describes the arguments.
    To verify many times, keep one: it reads the trust file again only when that changes.
    """
    verifier = Verifier(
        trust,
        context=context,
        signer=signer,
        max_age=max_age,
        aad=aad,
        now=now,
        typ=typ,
        untyped=untyped,
        untagged=untagged,
        outer_tags=outer_tags,
        try_keys=try_keys,
        require=require,
    )
    return verifier.verify(envelope, payload)
