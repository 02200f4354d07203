"""The states of NumPy's random numbers, with the values that NumPy writes into pickles and no others.

The generators are written in C and believe their state: a position behind the end of the key reads memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brine._numpy_shims import is_a, is_array, refused
from brine._unpickler import imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine._unpickler import Pair


class RandomValues:
    """The random numbers that one pickle makes."""

    def __init__(self) -> None:
        self._made_here: dict[int, object] = {}
        """What was made by what checks its arguments."""
        self._fresh: set[int] = set()
        """What of it has no state yet. It takes a state once."""

    def bit_generator(self, sort: Any = "MT19937") -> object:
        """Make a generator of bits, which takes a state."""
        return self._made(_call("__bit_generator_ctor", _sort(sort)))

    def generator(self, bits: Any = "MT19937", _maker: object = None) -> object:
        """Make a `Generator` over a generator of bits."""
        return self._made(_call("__generator_ctor", self._bits(bits)))

    def random_state(self, bits: Any = "MT19937", _maker: object = None) -> object:
        """Make a `RandomState` over a generator of bits."""
        return self._made(_call("__randomstate_ctor", self._bits(bits)))

    def seed_sequence(self, kind: Any, checksum: Any, state: Any) -> object:
        """Make a `SeedSequence`, which takes a state."""
        if kind is not np.random.SeedSequence or not is_a(checksum, int) or state is not None:
            raise refused("numpy.random:SeedSequence", "another class or state")
        unpickle: Any = imported(*SEED_SEQUENCE)
        return self._made(unpickle(kind, checksum, None))

    def state(self, made: Any, state: Any) -> object:
        """Return the state that something takes, if it is one that NumPy writes."""
        if id(made) not in self._made_here:
            return state
        good = id(made) in self._fresh
        self._fresh.discard(id(made))
        if isinstance(made, np.random.SeedSequence):
            good = good and _is_seed_state(state)
        else:
            bare = state[0] if is_a(state, tuple) and len(state) == BITS_AND_SEED else state
            seed = None if bare is state else state[1]
            good = good and _is_generator_state(bare)
            good = good and (seed is None or isinstance(seed, np.random.SeedSequence))
        if not good:
            raise refused("numpy.random", "a state that NumPy does not write")
        return state

    def shims(self) -> dict[Pair, Callable[..., object]]:
        """Return what stands for NumPy's constructors."""
        return {
            (PICKLE, "__bit_generator_ctor"): self.bit_generator,
            (PICKLE, "__generator_ctor"): self.generator,
            (PICKLE, "__randomstate_ctor"): self.random_state,
            SEED_SEQUENCE: self.seed_sequence,
        }

    def _bits(self, bits: Any) -> object:
        return bits if isinstance(bits, np.random.BitGenerator) else _sort(bits)

    def _made(self, made: Any) -> object:
        # Held to the end, so that nothing else gets its id.
        self._made_here[id(made)] = made
        self._fresh.add(id(made))
        return made


def _call(name: str, argument: object) -> object:
    make: Any = imported(PICKLE, name)
    return make(argument)


def _sort(sort: Any) -> object:
    """Return the name or the class of a generator of one of two sorts."""
    known: tuple[object, ...] = ("MT19937", "PCG64", np.random.MT19937, np.random.PCG64)
    if not any(sort is one or (is_a(sort, str) and sort == one) for one in known):
        raise refused("numpy.random", "a sort of generator that is not listed")
    return sort


def _is_generator_state(state: Any) -> bool:
    if not is_a(state, dict) or state.get("bit_generator") not in {"MT19937", "PCG64"}:
        return False
    inner = state.get("state")
    others = {key: value for key, value in state.items() if key not in {"bit_generator", "state"}}
    return (
        is_a(inner, dict)
        and all(key in OTHERS and is_a(value, int, float) for key, value in others.items())
        and (_is_key(inner) or all(key in {"state", "inc"} for key in inner))
        and all(is_a(value, int) for key, value in inner.items() if key != "key")
    )


def _is_key(inner: Any) -> bool:
    key, position = inner.get("key"), inner.get("pos")
    return (
        set(inner) == {"key", "pos"}
        and _is_numbers(key)
        and is_a(position, int)
        and 0 <= position <= KEY_WORDS
    )


def _is_seed_state(state: Any) -> bool:
    if not is_a(state, tuple) or len(state) != SEED_ITEMS:
        return False
    entropy, children, pool, size, spawn_key = state
    return (
        (entropy is None or _is_seed(entropy))
        and is_a(children, int)
        and _is_numbers(pool)
        and size == POOL_WORDS
        and is_a(spawn_key, tuple)
        and all(_is_seed(part) for part in spawn_key)
    )


def _is_seed(value: Any) -> bool:
    return is_a(value, int) or isinstance(value, np.integer)


def _is_numbers(value: Any) -> bool:
    return is_array(value) and not value.dtype.hasobject


PICKLE = "numpy.random._pickle"
SEED_SEQUENCE = ("numpy.random.bit_generator", "__pyx_unpickle_SeedSequence")
OTHERS = frozenset(["has_gauss", "gauss", "has_uint32", "uinteger"])
BITS_AND_SEED = 2
SEED_ITEMS = 5
POOL_WORDS = 4
KEY_WORDS = 624
