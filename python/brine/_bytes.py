"""Signing and verifying bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brine._brine import Signer, Verified, Verifier

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from brine._brine import Buffer, Key, Trust


def sign(
    data: Buffer,
    *,
    context: str | None = None,
    expires: datetime | timedelta | str | None = None,
    key: Key | str | None = None,
    detached: bool = False,
    armor: bool = False,
    content_type: str | None = None,
) -> bytes:
    """Sign bytes, and return the envelope.

    Without a ``key``, the default key signs, which ``brinekey gen`` makes.
    """
    signer = Signer(key, context=context, expires=expires, content_type=content_type)
    return signer.sign(data, detached=detached, armor=armor)


def verify(
    envelope: Buffer,
    payload: Buffer | None = None,
    *,
    context: str | None = None,
    signer: str | None = None,
    max_age: timedelta | str | None = None,
    trust: Trust | None = None,
) -> Verified:
    """Verify an envelope, or a detached signature over ``payload``, and return what has verified.

    Without ``trust``, the trust file at home says who is believed.
    """
    return Verifier(trust, context=context, signer=signer, max_age=max_age).verify(
        envelope, payload
    )
