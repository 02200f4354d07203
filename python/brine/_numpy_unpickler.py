"""The loader of pickles that have values of NumPy.

The loader in C gives states to arrays and types without asking. This one, which is written in Python, asks first.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from brine import _std_shims
from brine._errors import UnsupportedError
from brine._numpy_random import RandomValues
from brine._numpy_shims import NumpyValues
from brine._unpickler import Finder, PythonUnpickler

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine._unpickler import Names


class NumpyUnpickler(PythonUnpickler):
    """Loads a pickle, and checks NumPy's values."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(PythonUnpickler.dispatch)

    def __init__(self, data: bytes, names: Names) -> None:
        self._values = NumpyValues(len(data))
        self._random = RandomValues()
        shims = {**_std_shims.SHIMS, **self._values.shims(), **self._random.shims()}
        super().__init__(data, Finder(names, shims, checks_numpy=True))

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in OF_JOBLIB and not self._finder.names.is_lifted(module, name):
            raise of_joblib()
        return super().find_class(module, name)

    def load_build(self) -> None:
        made, state = self.stack[-2:]
        self.stack[-1] = self._values.state(made, self._random.state(made, state))
        super().load_build()  # type: ignore[misc, unused-ignore]

    def load_reduce(self) -> None:
        called = self.stack[-2]
        if called is np.dtype and self._finder.is_ruled(called):
            # It can be named as a value, too, so that nothing else stands in its place.
            self.stack[-2] = self._values.dtype
        else:
            self._finder.refuse_call(called)
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

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex


def of_joblib() -> UnsupportedError:
    """Refuse an array of joblib, whose bytes no loader of pickles reads."""
    return UnsupportedError(
        "pickle: has an array of joblib, whose bytes stand behind the pickle",
        "brine.verified_path() gives a path to what has verified, for joblib.load",
        "joblib-array",
    )


OF_JOBLIB = (
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("joblib", "numpy_pickle.NumpyArrayWrapper"),
)
