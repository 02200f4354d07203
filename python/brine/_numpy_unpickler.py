"""The loader of pickles that have values of NumPy.

The loader in C gives states to arrays and types without asking. This one, which is written in Python, asks first.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from brine import _std_shims
from brine._errors import UnsupportedError, UntrustedError
from brine._numpy_random import RandomValues
from brine._numpy_shims import NumpyValues
from brine._unpickler import Finder, persistent_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine._unpickler import Names


class NumpyUnpickler(pickle._Unpickler):
    """Loads a pickle, and checks NumPy's values."""

    stack: list[Any]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, data: bytes, names: Names) -> None:
        super().__init__(io.BytesIO(data))
        self._values = NumpyValues()
        self._random = RandomValues()
        shims = {**_std_shims.SHIMS, **self._values.shims(), **self._random.shims()}
        shims.update(dict.fromkeys(OF_JOBLIB, _of_joblib))
        self._finder = Finder(names, shims, checks_numpy=True)

    def find_class(self, module: str, name: str) -> Any:
        return self._finder.find(module, name)

    def persistent_load(self, pid: object) -> Any:
        raise persistent_id()

    def load_build(self) -> None:
        made, state = self.stack[-2:]
        self.stack[-1] = self._values.state(made, self._random.state(made, state))
        super().load_build()  # type: ignore[misc, unused-ignore]

    def load_reduce(self) -> None:
        self._finder.refuse_call(self.stack[-2])
        super().load_reduce()  # type: ignore[misc, unused-ignore]

    def load_newobj(self) -> None:
        self._finder.refuse_call(self.stack[-2])
        super().load_newobj()  # type: ignore[misc, unused-ignore]

    def load_newobj_ex(self) -> None:
        self._finder.refuse_call(self.stack[-3])
        super().load_newobj_ex()  # type: ignore[misc, unused-ignore]

    def _instantiate(self, klass: Any, args: Any) -> None:
        self._finder.refuse_call(klass)
        super()._instantiate(klass, args)  # type: ignore[misc, unused-ignore]

    def load_extension(self) -> NoReturn:
        raise UntrustedError(
            "pickle: imports by a number of the copyreg registry", None, "extension-registry"
        )

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    for _code in (pickle.EXT1, pickle.EXT2, pickle.EXT4):
        dispatch[_code[0]] = load_extension


def _of_joblib(*_: object) -> NoReturn:
    raise UnsupportedError(
        "pickle: has an array of joblib, whose bytes stand behind the pickle",
        "brine.verified_path() gives a path to what has verified, for joblib.load",
        "joblib-array",
    )


OF_JOBLIB = (
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("joblib", "numpy_pickle.NumpyArrayWrapper"),
)
