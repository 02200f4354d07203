"""Objects as pickles that are scanned before they are loaded."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

from brine._brine import AllowList
from brine._errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence


def pickled(obj: object, *, code: bool) -> bytes:
    """Pickle an object."""
    if code:
        raise UnsupportedError("code is not sent yet", reason="code")
    return pickle.dumps(obj, protocol=5)


def unpickled(data: bytes, *, allow: str | Sequence[str], code: bool) -> Any:
    """Load a pickle that imports nothing but what the list allows."""
    names = AllowList(allow) if isinstance(allow, str) else AllowList(*allow)
    names.scan(data, name="message")
    return _Listed(io.BytesIO(data), names).load()


class _Listed(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, names: AllowList) -> None:
        super().__init__(file)
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        if not self._names.allows(module, name):
            raise UnsupportedError(
                f"{module}:{name} is not on the list", reason="import-not-allowed"
            )
        return super().find_class(module, name)
