"""Signed messages between a manager of ``multiprocessing`` and its clients."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from multiprocessing import connection, managers
from typing import TYPE_CHECKING, Any, cast

from brine._allow import listed
from brine._brine import AllowList, Key, Trust
from brine._errors import AlteredError, ReplayedError, UnsupportedError, UntrustedError
from brine._messages import MessageCodec, refuse_several

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from brine._allow import Allow, Names
    from brine._brine import Verified
    from brine._messages import Expires


def register_manager_serializer(
    name: str = "brine",
    *,
    key: Key | str = "default",
    trust: Trust | None = None,
    context: str = "manager",
    allow: Allow = "std",
    code: bool = False,
    expires: Expires = None,
) -> str:
    """Have managers sign and verify what they send and receive, and return ``name``.

    Give it to ``BaseManager(serializer=name)``. Every process that uses the manager calls this first: at the top of a
    module, so that processes do that are started. A key that has a name is read by each process from its own home.
    Without ``trust``, the trust file at home says who is believed.
    """
    refuse_several(key)
    options: dict[str, Any] = {
        "key": Key.load(key) if isinstance(key, str) else key,
        "trust": trust or Trust.load(),
        "allow": allow if code else _with_own_names(allow),
        "code": code,
        "expires": expires,
    }

    def codec(side: str, aad: bytes | None) -> MessageCodec:
        return MessageCodec(context=f"{context}/{side}", aad=aad, **options)

    # What makes no sense raises now, and not with the first connection.
    codec("server", None)

    class SignedListener(connection.Listener):
        def accept(self) -> Any:
            return SignedManagerConnection(super().accept(), codec, "server", "client")

    def client(
        address: Any, family: str | None = None, authkey: bytes | None = None
    ) -> SignedManagerConnection:
        plain = connection.Client(address, family)
        signed = SignedManagerConnection(plain, codec, "client", "server")
        if authkey is not None:
            connection.answer_challenge(cast("Any", signed), authkey)
            connection.deliver_challenge(cast("Any", signed), authkey)
        return signed

    managers.listener_client[name] = (SignedListener, client)  # type: ignore[attr-defined]
    return name


class SignedManagerConnection:
    """A connection between a manager and a client.

    Both ends prove to each other that they know the manager's ``authkey``, with challenges that both draw. What they
    said in doing so is under each signature that follows: a message of another connection does not verify. In one
    connection each message must have the next number.
    """

    def __init__(
        self,
        plain: Any,
        codec: Callable[[str, bytes | None], MessageCodec],
        own_side: str,
        other_side: str,
    ) -> None:
        self._plain = plain
        self._codec = codec
        self._sides = own_side, other_side
        self._said = hashlib.sha256()
        self._codecs: tuple[MessageCodec, MessageCodec] | None = None
        self._welcomes: set[str] = set()
        self._channel: str | None = None
        self._next = 0
        self.close = plain.close
        self.fileno = plain.fileno
        self.poll = plain.poll

    def send(self, obj: object) -> None:
        """Pickle an object, sign it and send it."""
        codec, _ = self._agreed()
        self._plain.send_bytes(codec.sign(codec.encode(_without_views(obj))))

    def recv(self) -> Any:
        """Return the next object, if it verifies."""
        _, codec = self._agreed()
        verified = codec.verify(self._plain.recv_bytes())
        self._check_order(verified)
        return codec.decode(verified)

    def send_bytes(self, data: bytes) -> None:
        """Send bytes of the handshake."""
        self._note(data, "sent")
        self._plain.send_bytes(data)

    def recv_bytes(self, maxlength: int | None = None) -> bytes:
        """Receive bytes of the handshake."""
        data: bytes = self._plain.recv_bytes(maxlength)
        self._note(data, "received")
        return data

    def _note(self, data: bytes, how: str) -> None:
        if self._codecs is not None:
            raise UnsupportedError("the handshake of this connection is over", reason="wrong-kind")
        if data == _WELCOME:
            self._welcomes.add(how)
        self._said.update(len(data).to_bytes(8) + data)

    def _agreed(self) -> tuple[MessageCodec, MessageCodec]:
        if len(self._welcomes) < 2:
            raise UntrustedError(
                "the two ends have not proven to each other that they know the authkey",
                reason="handshake",
            )
        if self._codecs is None:
            own, other = self._sides
            said = self._said.digest()
            self._codecs = self._codec(own, said), self._codec(other, said)
        return self._codecs

    def _check_order(self, verified: Verified) -> None:
        if verified.sequence is None:
            raise UnsupportedError(
                "the message has no number, so nobody can tell whether it was given out before",
                reason="replay-identity-missing",
            )
        channel, number = verified.sequence
        if self._channel is None:
            self._channel = channel
        if channel != self._channel or number < self._next:
            raise ReplayedError("the message was given out before", reason="replayed")
        if number > self._next:
            raise AlteredError(
                f"message {self._next} of this connection is missing", reason="message-missing"
            )
        self._next += 1


def _without_views(message: object) -> object:
    """Make lists of the views of dictionaries, as managers do."""
    if not isinstance(message, tuple):
        return message
    parts = cast("Sequence[Any]", message)
    return tuple(list(part) if isinstance(part, _VIEWS) else part for part in parts)


def _with_own_names(allow: Allow) -> Allow:
    """Add what answers of managers name: objects in a manager, and exceptions of their queues."""
    if isinstance(allow, Mapping):
        return {signer: _joined(names) for signer, names in allow.items()}
    return _joined(allow)


def _joined(names: Names) -> Names:
    return AllowList(listed(names).lines(), *_NAMES)


_WELCOME = b"#WELCOME#"
"""What an end sends that has seen the proof of the other."""

_EMPTY: dict[str, str] = {}
_VIEWS: tuple[type[Any], ...] = (type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items()))

_NAMES = ("multiprocessing.managers:Token", "_queue:Empty", "queue:Full", "queue:ShutDown")
