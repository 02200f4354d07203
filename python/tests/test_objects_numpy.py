"""Arrays come back as they were, and no value that NumPy does not write gets to NumPy."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import pytest

import brine
from brine import _unpickler
from objects_kit import call, load_signed, named, refusal, round_trip, text, whole

np = pytest.importorskip("numpy")

NUMPY = ["std", "numpy"]


def arrays() -> list[Any]:
    """Arrays of all sorts that the list has."""
    record = [("a", "i4"), ("b", "f8")]
    return [
        np.arange(10),
        np.arange(12.0).reshape(3, 4).T,
        np.asfortranarray(np.eye(3)),
        np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
        np.arange(10)[::2],
        np.array(3),
        np.zeros((0, 3)),
        np.zeros(3, "c16"),
        np.array([1, 2], ">i8"),
        np.array([True, False]),
        np.array(["a", "bcd"]),
        np.array([b"a", b"bcd"]),
        np.array(["2020-01-01"], "M8[25s]"),
        np.array([5], "m8[ns]"),
        np.array([1, "a", None], object),
        np.array([(1, 2.0)], record),
        np.array([(1, None)], [("a", "i4"), ("b", "O")]),
        np.array([((1, 2), 3)], [("a", "i4", 2), ("b", "i4")]),
        np.array([(1, 2.0)], np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        np.rec.array([(1, 2.0)], record),
        np.arange(2).view(np.matrix),
    ]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("index", range(len(arrays())))
def test_arrays_come_back(alice: brine.Key, index: int, protocol: int) -> None:
    array = arrays()[index]
    found: Any = round_trip(alice, array, protocol=protocol, allow=NUMPY)
    plain = pickle.loads(pickle.dumps(array, protocol))
    assert type(found) is type(array)
    assert found.dtype == plain.dtype
    assert found.dtype.flags == plain.dtype.flags
    assert (found.flags.writeable, found.strides) == (plain.flags.writeable, plain.strides)
    assert repr(found) == repr(plain)


@pytest.mark.parametrize("protocol", range(6))
def test_scalars_types_and_random_states_come_back(alice: brine.Key, protocol: int) -> None:
    scalars = [np.float64(3), np.bool_(True), np.str_("a"), np.datetime64("2020-01-01")]
    types = [np.dtype(">i4"), np.dtype([("a", "i4", (2, 3))]), np.dtype("S3"), np.dtype("V8")]
    titled = np.dtype({"names": ["a"], "formats": ["i4"], "titles": ["t"]})
    for value in [*scalars, *types, titled, np.float64]:
        assert round_trip(alice, value, protocol=protocol, allow=NUMPY) == value
    for generator in (np.random.default_rng(3), np.random.RandomState(4)):
        generator.random()
        found: Any = round_trip(alice, generator, protocol=protocol, allow=NUMPY)
        assert [found.random() for _ in range(700)] == [generator.random() for _ in range(700)]


def test_an_array_that_appears_twice_stays_one(alice: brine.Key) -> None:
    array = np.arange(3)
    found: Any = round_trip(alice, {"a": array, "b": [array]}, allow=NUMPY)
    assert found["a"] is found["b"][0]
    objects = np.array([None, 1], object)
    objects[0] = objects
    itself: Any = round_trip(alice, objects, protocol=4, allow=NUMPY)
    assert itself[0] is itself


def test_the_hint_names_the_list(alice: brine.Key) -> None:
    with refusal("import-not-allowed", brine.UntrustedError) as refused:
        round_trip(alice, np.arange(3))
    assert 'allow=["std", "numpy"]' in str(refused.value)


def dtype(word: str) -> bytes:
    return call("numpy", "dtype", text(word), b"\x89", b"\x88")


def dtype_state(*, endian: str = "|", size: int = -1, align: int = -1, flags: int = 0) -> bytes:
    numbers = [f"I{number}\n".encode() for number in (size, align, flags)]
    return b"(K\x03" + text(endian) + b"NNN" + b"".join(numbers) + b"tb"


CORES = ["numpy.core.multiarray", "numpy._core.multiarray"]

OBJECTS = dtype("O8") + dtype_state(flags=0x3F)
BYTES8 = b"C\x08" + b"ABCDEFGH"


def array_state(kind: bytes, data: bytes, shape: bytes = b"(K\x01t") -> bytes:
    return b"(K\x01" + shape + kind + b"\x89" + data + b"tb"


def empty(core: str, kind: bytes | None = None) -> bytes:
    kind = named("numpy", "ndarray") if kind is None else kind
    return call(core, "_reconstruct", kind, b"(K\0t", b"C\1b")


def wide(size: int = 1_500_000_000) -> bytes:
    """Write a type of an object and of as many bytes as one likes."""
    raw = dtype(f"V{size}") + dtype_state(size=size, align=1)
    fields = b"}" + text("a") + b"(" + OBJECTS + b"K\0ts" + text("b") + b"(" + raw + b"K\x08ts"
    names = b"(" + text("a") + text("b") + b"t"
    numbers = f"I{size + 8}\nI1\nI27\n".encode()
    return dtype(f"V{size + 8}") + b"(K\x03" + text("|") + b"N" + names + fields + numbers + b"tb"


def test_a_field_in_proportion_is_loaded(alice: brine.Key) -> None:
    data = whole(empty(CORES[1]) + array_state(wide(1000), b"](N" + b"C\0" + b"ta"))
    found: Any = load_signed(alice, data, allow=NUMPY)
    assert found.tolist() == [(None, bytes(1000))]


def hostile(core: str) -> dict[str, tuple[bytes, str]]:
    """Give each attack, and the reason for which the scan refuses it."""
    plain = dtype("i8") + dtype_state(endian="<")
    raw = dtype("V8")
    fields = b"}" + text("a") + b"(" + dtype("O8") + b"K\0ts"
    turned = b"(K\x03" + text("|") + b"N(" + text("a") + b"t" + fields + b"K\x08K\x01K\x3ft"
    random = call("numpy.random._pickle", "__bit_generator_ctor", text("MT19937"))
    key = call(core, "_reconstruct", named("numpy", "ndarray"), b"(K\0t", b"C\1b") + array_state(
        dtype("u4") + dtype_state(endian="<"),
        b"B" + (624 * 4).to_bytes(4, "little") + bytes(624 * 4),
        b"(M\x70\x02t",
    )
    inner = b"}(" + text("key") + key + text("pos") + b"J\xff\xff\xff\x7fu"
    state = b"}(" + text("bit_generator") + text("MT19937") + text("state") + inner + b"u"
    return {
        "flags of objects for integers": (
            dtype("i8") + dtype_state(endian="<", flags=0x3F),
            "state-not-allowed",
        ),
        "a size of its own": (
            dtype("i8") + dtype_state(endian="<", size=1 << 20),
            "state-not-allowed",
        ),
        "pointers out of bytes": (empty(core) + array_state(OBJECTS, BYTES8), "state-not-allowed"),
        "fewer bytes than elements": (
            empty(core) + array_state(plain, BYTES8, b"(M\xe8\x03t"),
            "state-not-allowed",
        ),
        "a negative shape": (
            empty(core) + array_state(plain, BYTES8, b"(J\xff\xff\xff\xfft"),
            "state-not-allowed",
        ),
        "an array over a buffer": (
            call("numpy", "ndarray", b"(K\x01t", text("O"), BYTES8),
            "call-not-allowed",
        ),
        "the same by NEWOBJ": (
            named("numpy", "ndarray") + b"((K\x01t" + text("O") + BYTES8 + b"t\x81",
            "call-not-allowed",
        ),
        "a scalar that is any object": (
            call(core, "scalar", OBJECTS, named("numpy", "ndarray")),
            "call-not-allowed",
        ),
        "a scalar of fewer bytes": (call(core, "scalar", plain, b"C\1a"), "call-not-allowed"),
        "a type that is in use": (
            raw
            + b"\x94"
            + b"0"
            + empty(core)
            + array_state(b"h\0", BYTES8)
            + b"0h\0"
            + turned
            + b"b",
            "state-not-allowed",
        ),
        "a second state": (
            empty(core) + array_state(plain, BYTES8) + array_state(plain, BYTES8),
            "after-build",
        ),
        "a class that is none": (empty(core, named("numpy", "dtype")), "call-not-allowed"),
        "an array of another letter": (
            call(core, "_reconstruct", named("numpy", "ndarray"), b"(K\0t", b"C\1O"),
            "call-not-allowed",
        ),
        "an array of another shape": (
            call(core, "_reconstruct", named("numpy", "ndarray"), b"(J\0\0\0\x40t", b"C\1b"),
            "call-not-allowed",
        ),
        "a word that is no type": (dtype("O,O"), "call-not-allowed"),
        "more dimensions than there are": (
            empty(core) + array_state(plain, BYTES8, b"(" + b"K\x01" * 65 + b"t"),
            "state-not-allowed",
        ),
        "a field that is larger than the pickle": (
            empty(core) + array_state(wide(), b"](N" + b"C\0" + b"ta"),
            "state-not-allowed",
        ),
        "elements of no size": (
            empty(core)
            + array_state(dtype("V0") + dtype_state(size=0, align=1), b"C\0", b"(J\0\0\0\x40t"),
            "state-not-allowed",
        ),
        "a position behind the key": (random + state + b"b", "state-not-allowed"),
    }


@pytest.mark.parametrize(("core", "attack"), list(itertools.product(CORES, hostile(CORES[0]))))
def test_a_hostile_value_of_numpy(alice: brine.Key, core: str, attack: str) -> None:
    opcodes, reason = hostile(core)[attack]
    with pytest.raises(brine.Error) as refused:
        load_signed(alice, whole(opcodes), allow=NUMPY)
    assert refused.value.reason == reason, refused.value


@pytest.mark.parametrize(("core", "attack"), list(itertools.product(CORES, hostile(CORES[0]))))
def test_shims_hold_without_a_scan(core: str, attack: str) -> None:
    opcodes, _ = hostile(core)[attack]
    with refusal("call-not-allowed", brine.UntrustedError):
        _unpickler.load(whole(opcodes), brine.AllowList("std", "numpy"), [("numpy", "dtype")])


def test_the_loader_in_c_takes_no_constructor_of_numpy() -> None:
    """What a scan would overlook has nobody who checks it."""
    data = pickle.dumps(np.arange(3))
    with refusal("call-not-allowed", brine.UntrustedError):
        _unpickler.load(data, brine.AllowList("std", "numpy"), [])


def test_flags_of_objects_are_believed_by_pickle(alice: brine.Key) -> None:
    """What the shims are for: NumPy takes flags, sizes and objects as a pickle has them."""
    flagged = pickle.loads(whole(dtype("i8") + dtype_state(endian="<", flags=0x3F)))
    assert flagged.hasobject
    over = pickle.loads(whole(call("numpy", "ndarray", b"(K\x01t", text("u8"), BYTES8)))
    assert over[0] == int.from_bytes(b"ABCDEFGH", "little")
    with refusal("call-not-allowed", brine.UntrustedError):
        load_signed(
            alice, whole(call("numpy", "ndarray", b"(K\x01t", text("u8"), BYTES8)), allow=NUMPY
        )


def test_any_lifts_the_shims_too(alice: brine.Key) -> None:
    data = whole(call("numpy", "ndarray", b"(K\x01t", text("u8"), BYTES8))
    with pytest.warns(UserWarning, match="numpy:ndarray"):
        found: Any = load_signed(alice, data, allow=["numpy:ndarray any"])
    assert found[0] == int.from_bytes(b"ABCDEFGH", "little")


def test_what_is_lifted_takes_any_state(alice: brine.Key) -> None:
    data = whole(dtype("i8") + dtype_state(endian="<", size=-1))
    array = pickle.dumps(np.arange(3), 4)
    core = CORES[1] if b"_core" in array else CORES[0]
    lines = ["numpy:dtype any", f"{core}:_reconstruct any", "numpy:ndarray"]
    with pytest.warns(UserWarning, match="numpy:dtype"):
        assert load_signed(alice, data, allow=lines) == np.dtype("i8")
    found: Any = load_signed(alice, array, allow=lines)
    assert found.tolist() == [0, 1, 2]
    found = load_signed(alice, array, allow=["std", "numpy", "numpy:dtype any"])
    assert found.tolist() == [0, 1, 2]


def test_a_type_of_numpy_can_be_named(alice: brine.Key) -> None:
    value = [np.dtype, np.ndarray, np.float64]
    assert round_trip(alice, value, allow=NUMPY) == value


def test_arrays_of_joblib_are_for_joblib(alice: brine.Key) -> None:
    wrapper = named("joblib.numpy_pickle", "NumpyArrayWrapper")
    with pytest.raises(brine.Error) as refused:
        load_signed(alice, whole(wrapper), allow=NUMPY)
    assert refused.value.reason == "joblib-array"
