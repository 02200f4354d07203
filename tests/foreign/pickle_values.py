"""What CPython's two unpicklers do with pickles that brine allows, asked by tests/foreign/pickle_values.rs.

Here everything is real: the classes of the standard library, NumPy, and the unpicklers. The unpickler in C runs
below an audit hook, which sees whatever opens, imports, compiles or runs. That in Python also has each opcode
looked at that calls or changes something: what is called must be what find_class gave, with the values that the
checks of this file allow, which are written apart from brine's rules. Afterwards all types of arrays are looked
at, and all values are used, so that memory which was believed wrongly is read.

    pickle_values.py seeds COUNT SEED     writes COUNT pickles as they are, each after its length
    pickle_values.py mutants COUNT SEED   writes COUNT changed ones
    pickle_values.py load                 reads batches: how many, then each pickle after its length; answers each
                                          with a line of JSON: whether it was loaded, and what is wrong or null
Numbers are four bytes, the least significant first.
"""

import _codecs
import array as arrays
import builtins
import collections
import copyreg
import datetime
import decimal
import encodings.latin_1
import encodings.raw_unicode_escape
import encodings.unicode_escape
import fractions
import io
import ipaddress
import json
import math
import pathlib
import pickle
import pickletools
import random
import re
import resource
import struct
import sys
import uuid
import zoneinfo

import numpy as np
import numpy.random._pickle as random_pickle
from numpy.random import MT19937, PCG64, BitGenerator, Generator, RandomState, SeedSequence
from numpy.random.bit_generator import __pyx_unpickle_SeedSequence as make_seed

try:
    import numpy._core.multiarray as multiarray
    import numpy._core.numeric as numeric
except ImportError:
    import numpy.core.multiarray as multiarray
    import numpy.core.numeric as numeric

# What they import late is imported now, so that nothing is left to import.
for name in ("numpy.core.multiarray", "numpy.core.numeric", "numpy._core.multiarray", "numpy._core.numeric", "numpy.rec"):
    try:
        __import__(name)
    except ImportError:
        pass
repr(np.array([(1, "a")], dtype=[("a", "i4"), ("b", "O")])), repr(np.datetime64("2020-01-01")), str(np.float16(1.5))
for name in ("UTC", "Europe/Berlin", "Nowhere"):
    try:
        zoneinfo.ZoneInfo(name)
    except zoneinfo.ZoneInfoNotFoundError:
        pass
datetime.datetime.now().strftime("%c"), fractions.Fraction("1/3"), re.compile("a")


class Wrong(Exception):
    """Something happened that no allowed pickle may bring about."""


# ---- what may be called, and with what ----

PLAIN = (bool, bytearray, bytes, complex, dict, float, frozenset, int, list, object, range, set, slice, str, tuple)


def exactly(args, *types):
    return len(args) == len(types) and all(type(arg) in (t if isinstance(t, tuple) else (t,)) for arg, t in zip(args, types))


def good_call(called, args):
    """Returns whether a listed name may be called with these."""
    listed = (list, tuple)
    if called in (bytearray,):
        return args == () or exactly(args, bytes) or (exactly(args, str, str) and args[1] in ("latin-1", "latin1"))
    if called in (bytes, object):
        return args == ()
    if called is complex:
        return exactly(args, float, float)
    if called in (set, frozenset, collections.OrderedDict):
        return args == () or exactly(args, listed)
    if called is range:
        return exactly(args, int, int, int)
    if called is slice:
        return len(args) == 3
    if called is _codecs.encode:
        return exactly(args, str, str) and args[1] in ("latin-1", "latin1")
    if called is collections.Counter:
        return args == () or exactly(args, dict)
    if called is collections.defaultdict:
        return args == () or (len(args) == 1 and (args[0] is None or args[0] in LISTED))
    if called is collections.deque:
        return args == () or exactly(args, listed) or exactly(args, listed, (int, type(None)))
    if called is copyreg._reconstructor:
        return len(args) == 3 and args[0] in (object, uuid.UUID) and args[1] in PLAIN and type(args[2]) in (type(None), *PLAIN)
    if called is datetime.date:
        return exactly(args, bytes) and len(args[0]) == 4
    if called in (datetime.datetime, datetime.time):
        return exactly(args, bytes) or exactly(args, bytes, (datetime.timezone, zoneinfo.ZoneInfo, type(None)))
    if called is datetime.timedelta:
        return exactly(args, int, int, int)
    if called is datetime.timezone:
        return exactly(args, datetime.timedelta) or exactly(args, datetime.timedelta, str)
    if called is decimal.Decimal:
        return exactly(args, str)
    if called is fractions.Fraction:
        return exactly(args, int, int) or (exactly(args, str) and "e" not in args[0].lower())
    if called in PATHS:
        return all(type(arg) is str for arg in args)
    if called in ADDRESSES:
        return exactly(args, str) or (called in ADDRESSES[::3] and exactly(args, int))
    if called in EXCEPTIONS:
        return all(type(arg) in (str, int, float, bytes, bool, type(None)) for arg in args)
    if called is arrays._array_reconstructor:
        return args[:1] == (arrays.array,) and exactly(args[1:], (str, bytes), (bool, int), bytes)
    if called is getattr:
        return args == (zoneinfo.ZoneInfo, "_unpickle")
    if called == zoneinfo.ZoneInfo._unpickle:
        return exactly(args, str, (bool, int)) and re.fullmatch(r"[\w+-]+(/[\w+-]+)*", args[0], re.ASCII) is not None
    if called is random_pickle.__bit_generator_ctor:
        return len(args) == 1 and (type(args[0]) in (str, bytes) or args[0] in (MT19937, PCG64))
    if called in (random_pickle.__generator_ctor, random_pickle.__randomstate_ctor):
        return exactly(args, (MT19937, PCG64)) or (len(args) == 2 and type(args[0]) in (str, bytes) and args[1] is random_pickle.__bit_generator_ctor)
    if called is make_seed:
        return len(args) == 3 and args[0] is SeedSequence and type(args[1]) is int and args[2] is None
    if called is uuid.UUID:
        return args == ()
    if called is np.dtype:
        return len(args) == 3 and (type(args[0]) in (str, bytes) or args[0] is np.record) and args[1] in (0, False) and args[2] in (1, True)
    if called is multiarray._reconstruct:
        return len(args) == 3 and args[0] in (np.ndarray, np.matrix, np.recarray) and args[1] == (0,) and args[2] in (b"b", "b")
    if called is multiarray.scalar:
        return exactly(args, type(args[0]), bytes) and isinstance(args[0], np.dtype) and not args[0].hasobject
    if called is numeric._frombuffer:
        return type(args[0]) in (bytes, bytearray) and isinstance(args[1], np.dtype) and not args[1].hasobject
    return False


PATHS = [pathlib.PurePosixPath, pathlib.PosixPath, pathlib.PureWindowsPath, pathlib.WindowsPath]
ADDRESSES = [getattr(ipaddress, f"IPv{version}{what}") for version in (4, 6) for what in ("Address", "Network", "Interface")]
EXCEPTIONS = [one for one in vars(builtins).values() if isinstance(one, type) and issubclass(one, BaseException)]
SCALARS = [getattr(np, name) for name in ("bool_", "float32", "float64", "int8", "int64", "uint8", "str_", "object_", "datetime64")]


def good_random(state):
    """Returns whether a state of random numbers stays within its key."""
    if type(state) is tuple:
        return len(state) == 2 and good_random(state[0]) and type(state[1]) in (type(None), SeedSequence)
    if type(state) is not dict:
        return False
    inner = state.get("state", {})
    key = inner.get("key", np.zeros(0))
    return type(inner) is dict and inner.get("pos", 0) in range(625) and isinstance(key, np.ndarray) and not key.dtype.hasobject


LISTED = [*PLAIN, *PATHS, *ADDRESSES, *EXCEPTIONS, *SCALARS, arrays.array, arrays._array_reconstructor, getattr, ..., NotImplemented,
          zoneinfo.ZoneInfo, MT19937, PCG64, SeedSequence, make_seed, random_pickle.__bit_generator_ctor, random_pickle.__generator_ctor,
          random_pickle.__randomstate_ctor, _codecs.encode, collections.Counter, collections.OrderedDict, collections.defaultdict, collections.deque,
          copyreg._reconstructor, datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
          decimal.Decimal, fractions.Fraction, pathlib.PurePosixPath, uuid.UUID, np.dtype, np.ndarray, np.matrix, np.recarray, np.record,
          multiarray._reconstruct, multiarray.scalar, numeric._frombuffer]


def only_objects(dtype):
    fields = dtype.fields or {}
    return dtype == object or bool(fields) and all(only_objects(field[0]) for field in fields.values())


def is_row(item):
    literal = (type(None), bool, int, float, str, bytes, bytearray)
    return type(item) in literal or type(item) is tuple and all(type(one) in literal for one in item)


def known(called):
    return any(called is one for one in LISTED) or called == zoneinfo.ZoneInfo._unpickle


def check_dtype(dtype):
    """Refuses a type whose flags, size or fields are not those of a type that NumPy makes itself."""
    if not isinstance(dtype, np.dtype):
        raise Wrong(f"no type: {type(dtype)}")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        check_dtype(base)
        good = base.itemsize * math.prod(shape) == dtype.itemsize and base.hasobject == dtype.hasobject
    elif dtype.names is not None:
        spans, names = [], set(dtype.names)
        for key, field in dtype.fields.items():
            check_dtype(field[0])
            if key in names:
                spans.append((field[1], field[1] + field[0].itemsize))
            elif not (len(field) == 3 and field[2] == key and any(dtype.fields[name] is field for name in names)):
                raise Wrong(f"a title of its own: {key!r}")
        spans.sort()
        apart = all(one[1] <= other[0] for one, other in zip(spans, spans[1:]))
        inside = all(0 <= start and end <= dtype.itemsize for start, end in spans)
        holds = any(dtype.fields[name][0].hasobject for name in names)
        good = names <= set(dtype.fields) and inside and holds == dtype.hasobject and (apart or not holds)
    else:
        own = np.dtype(dtype.str) if dtype.type is not np.record else np.dtype((np.record, dtype.str))
        facts = lambda one: (one.itemsize, one.alignment, one.flags, one.hasobject, one.kind)
        good = facts(own) == facts(dtype) and (dtype.kind not in "OSVb" or dtype.byteorder == "|")
    if not good:
        raise Wrong(f"a type that NumPy does not make: {dtype.flags}, {dtype.itemsize}")


def check_array(array):
    check_dtype(array.dtype)
    base = array.base
    while isinstance(base, (np.ndarray, memoryview)):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    if base is not None and (array.dtype.hasobject or type(base) not in (bytes, bytearray)):
        raise Wrong(f"an array over {type(base)}")


def use(value, seen, depth=0):
    """Uses a value as a program would."""
    if id(value) in seen or depth > 40:
        return
    seen[id(value)] = value
    if isinstance(value, np.dtype):
        check_dtype(value)
        repr(value)
        if value.itemsize < 1 << 16:
            np.zeros(2, value).tolist()
    elif isinstance(value, np.ndarray):
        check_array(value)
        if value.size < 4096:
            repr(value), value.copy().tolist()
            for one in value.tolist() if value.ndim else [value.tolist()]:
                use(one, seen, depth + 1)
    elif isinstance(value, np.generic):
        check_dtype(value.dtype)
        repr(value), hash(value) if not isinstance(value, np.void) else None
    elif isinstance(value, dict):
        for key, one in list(value.items()):
            use(key, seen, depth + 1), use(one, seen, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset, collections.deque)):
        for one in list(value):
            use(one, seen, depth + 1)
    elif isinstance(value, (datetime.date, datetime.time)):
        value.isoformat(), str(value), hash(value)
        if isinstance(value, datetime.date):
            value.ctime(), value.weekday(), value.timetuple(), value.toordinal()
    elif isinstance(value, (MT19937, PCG64)):
        Generator(value).random(), value.random_raw(700)
    elif isinstance(value, (Generator, RandomState)):
        value.random(3), value.normal(size=3)
    elif isinstance(value, SeedSequence):
        value.generate_state(8), value.spawn(2), repr(value)
    elif isinstance(value, arrays.array):
        value.tolist(), repr(value)
    elif isinstance(value, BaseException):
        repr(value), str(value)
    elif type(value) in (fractions.Fraction, decimal.Decimal, uuid.UUID, range, slice, complex, *PATHS, *ADDRESSES):
        repr(value), str(value)


# ---- the unpicklers ----

class Finds:
    def find_class(self, module, name):
        found = super().find_class(module, name)
        if not known(found):
            raise Wrong(f"imports {module}:{name}")
        return found


class InC(Finds, pickle.Unpickler):
    pass


class InPython(Finds, pickle._Unpickler):
    dispatch = dict(pickle._Unpickler.dispatch)
    TAKES = {"append": (list, collections.deque), "pairs": (dict, collections.OrderedDict, collections.defaultdict), "members": (set,)}

    def check_call(self, called, args):
        if not known(called) or type(args) is not tuple or not good_call(called, args):
            raise Wrong(f"calls {called!r} with {args!r:.200}")

    def check_change(self, target, what):
        if any(target is one for one in self.built):
            raise Wrong(f"changes {type(target)} after it was built")
        if type(target) not in self.TAKES[what]:
            raise Wrong(f"{what} for {type(target)}")

    def on_reduce(self):
        self.check_call(self.stack[-2], self.stack[-1])
        self.load_reduce()

    def on_new(self):
        self.check_call(self.stack[-2], self.stack[-1])
        self.load_newobj()

    def on_new_ex(self):
        self.check_call(self.stack[-3], self.stack[-2])
        if self.stack[-1] != {}:
            raise Wrong("arguments by name")
        self.load_newobj_ex()

    def on_append(self):
        self.check_change(self.stack[-2], "append")
        self.load_append()

    def on_appends(self):
        self.check_change(self.metastack[-1][-1], "append")
        self.load_appends()

    def on_setitem(self):
        self.check_change(self.stack[-3], "pairs")
        self.load_setitem()

    def on_setitems(self):
        self.check_change(self.metastack[-1][-1], "pairs")
        self.load_setitems()

    def on_additems(self):
        self.check_change(self.metastack[-1][-1], "members")
        self.load_additems()

    def on_build(self):
        target, state = self.stack[-2], self.stack[-1]
        if any(target is one for one in self.built):
            raise Wrong(f"builds {type(target)} twice")
        if type(target) is uuid.UUID:
            good = type(state) is dict and all(key in ("int", "is_safe") and type(one) in (int, type(None)) for key, one in state.items())
        elif type(target) is collections.OrderedDict:
            good = type(state) is dict and set(state) <= {"_metadata"}
        elif isinstance(target, np.ndarray):
            good = type(state) is tuple and isinstance(state[2], np.dtype) and type(state[4]) in ((list,) if state[2].hasobject else (bytes,))
            good = good and (not state[2].hasobject or only_objects(state[2]) or all(is_row(item) for item in state[4]))
        elif isinstance(target, (BitGenerator, Generator, RandomState)):
            good = good_random(state)
        elif isinstance(target, BaseException):
            good = type(state) is dict and set(state) <= {"name", "obj", "path", "args"} and state.get("obj") is None
        elif isinstance(target, SeedSequence):
            good = type(state) is tuple and len(state) == 5 and isinstance(state[2], np.ndarray) and not state[2].dtype.hasobject and state[3] == 4
        else:
            good = isinstance(target, np.dtype) and type(state) is tuple
        if not good:
            raise Wrong(f"gives {type(target)} the state {state!r:.200}")
        self.built.append(target)
        self.load_build()

    def _instantiate(self, called, args):
        self.check_call(called, tuple(args))
        super()._instantiate(called, args)


for opcode, handler in {
    pickle.REDUCE: "on_reduce", pickle.NEWOBJ: "on_new", pickle.NEWOBJ_EX: "on_new_ex", pickle.APPEND: "on_append",
    pickle.APPENDS: "on_appends", pickle.SETITEM: "on_setitem", pickle.SETITEMS: "on_setitems",
    pickle.ADDITEMS: "on_additems", pickle.BUILD: "on_build",
}.items():
    InPython.dispatch[opcode[0]] = getattr(InPython, handler)

HARMLESS = {"pickle.find_class", "object.__getattr__", "object.__setattr__", "object.__delattr__", "builtins.id", "array.__new__"}
SEEN = None


# Names of another Python or NumPy than this.
MODULES = {"__builtin__", "copy_reg", "exceptions", "numpy._core.multiarray", "numpy._core.numeric", "numpy.rec", "pathlib._local"}


def audit(event, args):
    harmless = event in HARMLESS or (event == "import" and args[0] in MODULES)
    # A time zone is read from the system's files, or else from a package.
    if event in ("open", "os.listdir", "import"):
        harmless = harmless or "zoneinfo" in str(args[0]) or "tzdata" in str(args[0]) or event == "os.listdir"
    if SEEN is not None and not harmless:
        SEEN.append(f"{event} {args!r:.200}")


def load(kind, data):
    """Returns whether a pickle can be loaded, and what is wrong about how it was, or None."""
    global SEEN
    unpickler = kind(io.BytesIO(data))
    unpickler.built = []
    loaded = False
    SEEN = events = []
    try:
        value = unpickler.load()
        loaded = True
        use(value, {})
        for built in unpickler.built:
            use(built, {})
    except Wrong as wrong:
        return loaded, str(wrong)
    except MemoryError as error:
        return loaded, f"{error!r}"
    except (Exception, SystemExit, KeyboardInterrupt):
        pass
    finally:
        SEEN = None
    return loaded, events[0] if events else None


def number(file):
    data = file.read(4)
    return struct.unpack("<I", data)[0] if len(data) == 4 else None


def answer():
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    sys.addaudithook(audit)
    requests = sys.stdin.buffer
    while (count := number(requests)) is not None:
        for data in [requests.read(number(requests)) for _ in range(count)]:
            answers = [load(kind, data) for kind in (InC, InPython)]
            wrong = next((wrong for _, wrong in answers if wrong), None)
            # At once: the next one could crash.
            print(json.dumps([any(loaded for loaded, _ in answers), wrong]), flush=True)


# ---- pickles ----

NESTED = [("a", "<f8", (2,)), ("c", [("x", "U2"), ("y", "O")])]
TYPES = ["?", "i1", "<i4", ">i8", "u2", "f2", "<f8", ">f8", "g", "c16", "S5", "U3", "V4", "O", "M8[ns]", "m8[25s]", [("a", "<i4"), ("b", "<f8")],
         [("a", "O"), ("b", "i1")], [(("t", "a"), "<i4"), ("b", "S3")], NESTED,
         np.dtype([("a", "i1"), ("b", "f8")], align=True), [("t", "M8[s]")], [], ("f8", (2, 3)), np.dtype("f8", metadata={"a": 1})]


def array(r):
    # Of rows in rows, and of several numbers beside objects, an array is refused: NumPy would convert the items.
    dtype = np.dtype(r.choice([one for one in TYPES[:-2] if one is not NESTED]))
    shape = r.choice([(), (0,), (1,), (3,), (2, 2), (2, 1, 3), (0, 2)])
    made = np.zeros(shape, dtype)
    if dtype == object:
        flat = made.reshape(-1)
        for index in range(flat.size):
            flat[index] = leaf(r)
    other = np.recarray if made.dtype.names else np.matrix if made.ndim == 2 else np.ndarray
    return r.choice([lambda a: a, lambda a: a.T, np.asfortranarray, lambda a: a.view(other)])(made)


def leaf(r):
    return r.choice([
        lambda: None, lambda: True, lambda: r.choice([0, 1, -1, 300, 2**40, -(2**70)]), lambda: 1.5, lambda: "ab", lambda: b"ab", lambda: b"",
        lambda: complex(1, 2), lambda: datetime.datetime(2026, 11, 21, 1, tzinfo=r.choice([None, datetime.timezone.utc])),
        lambda: datetime.date(2026, 1, 31), lambda: datetime.time(1, 2, 3), lambda: datetime.timedelta(1, 2, 3), lambda: datetime.timezone(datetime.timedelta(hours=1), "x"),
        lambda: decimal.Decimal("1.5"), lambda: fractions.Fraction(1, 3), lambda: uuid.UUID(int=5), lambda: range(3), lambda: pathlib.PurePosixPath("/a/b"),
        lambda: object(), lambda: collections.Counter, lambda: np.dtype(r.choice(TYPES)), lambda: np.float64(1.5), lambda: np.str_("ab"), lambda: np.int32(4),
        lambda: r.choice([pathlib.PosixPath("/a/b"), pathlib.PureWindowsPath("c:/a")]), lambda: ..., lambda: r.choice(SCALARS),
        lambda: r.choice([ipaddress.ip_address(5), ipaddress.ip_address("::1"), ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_interface("::1/8")]),
        lambda: r.choice([ValueError("a", 1), KeyError(), OSError(2, "no", "/x"), StopIteration(5), ImportError("a"), SystemExit(3)]),
        lambda: datetime.datetime(2026, 11, 21, 1, tzinfo=zoneinfo.ZoneInfo(r.choice(["UTC", "Europe/Berlin"]))),
        lambda: r.choice([MT19937, PCG64])(5), lambda: RandomState(5), lambda: np.random.default_rng(5), lambda: SeedSequence(5),
        lambda: np.datetime64("2020-01-01"), lambda: np.zeros(1, [("a", "i4"), ("b", "f8")])[0], lambda: np.bool_(1)])()


def value(r, depth=0):
    if r.random() < 0.35:
        return array(r)
    if depth > 2 or r.random() < 0.4:
        return leaf(r)
    several = lambda: [value(r, depth + 1) for _ in range(r.randrange(4))]
    keys = lambda: [key for key in (leaf(r) for _ in range(r.randrange(4))) if not isinstance(key, np.void)]
    return r.choice([
        several, lambda: tuple(several()), lambda: dict(zip(keys(), several())), lambda: set(keys()), lambda: frozenset(keys()), lambda: bytearray(b"ab"),
        lambda: slice(1, None), lambda: collections.deque(several(), r.choice([None, 9])), lambda: collections.OrderedDict(zip(keys(), several())),
        lambda: collections.defaultdict(r.choice([None, list, int]), zip(keys(), several())), lambda: collections.Counter(keys())])()


def seed_pickle(r, protocol):
    if protocol > 2 and r.random() < 0.05:
        return pickle.dumps([arrays.array(r.choice("bHidQ"), [1, 2, 3]), value(r)], protocol)
    pickler = pickle._dumps if r.random() < 0.3 else pickle.dumps
    return pickler(value(r), protocol)


def seeds(count, seed):
    for index in range(count):
        write(seed_pickle(random.Random(f"{seed}/{index}"), index % (pickle.HIGHEST_PROTOCOL + 1)))


def write(data):
    sys.stdout.buffer.write(struct.pack("<I", len(data)) + data)


def split(data, base):
    """Returns the opcodes of a pickle, each as bytes, or as what it does with which place of the memo."""
    data = pickletools.optimize(data)
    found, steps = list(pickletools.genops(data)), []
    ends = [position for _, _, position in found[1:]] + [len(data)]
    count = 0
    for (opcode, argument, start), end in zip(found, ends):
        if opcode.name in ("PROTO", "FRAME", "STOP"):
            continue
        if opcode.name == "MEMOIZE":
            steps.append(("put", base + count))
            count += 1
        elif "PUT" in opcode.name:
            steps.append(("put", base + argument))
        elif "GET" in opcode.name:
            steps.append(("get", base + argument))
        else:
            steps.append(data[start:end])
    return steps


def join(steps, protocol):
    places, code = {}, bytearray(b"\x80" + bytes([protocol]))
    for step in steps:
        if isinstance(step, tuple):
            what, place = step
            new = what == "put" and place not in places
            number = places.setdefault(place, len(places) + 1)
            code += (b"r" if what == "put" else b"j") + struct.pack("<I", number)
        else:
            code += step
    return bytes(code) + b"."


def text(word):
    return b"\x8c" + bytes([len(word)]) + word.encode()


def integer(number):
    return b"\x8a\x09" + number.to_bytes(9, "little", signed=True)


WORDS = ["f8", "i8", "O8", "O4", "O", "V8", "V16", "V9", "S5", "U3", "M8", "b1", "f8,O", "<", ">", "|", "=", "C", "F", "K", "a", "b", "t", "latin1", "zlib",
         "MT19937", "PCG64", "SFC64", "key", "pos", "state", "gauss", "Europe/Berlin", "../x", "UTC", "_unpickle", "__init__", "i", "d", "u",
         "append", "__setstate__", "int", "is_safe", "1e9999999", "1/3", "ns", "_metadata", "items"]
NUMBERS = [0, 1, 21, 22, 624, 625, 2, 3, 4, 8, 9, 16, 27, 63, 128, 144, -1, -112, 255, 256, 2**20, 2**31 - 1, 2**31, 2**40, 2**62, -(2**63)]
BYTES = [b"", b"b", b"O", b"\0" * 4, b"\0" * 8, b"\1" * 8, b"\x41" * 16, b"\0" * 24, b"\x07\xea\x01\xff", b"\xff" * 10, b"\xff" * 6]
NAMES = [(m, n) for m in ("numpy._core.multiarray", "numpy.core.multiarray") for n in ("_reconstruct", "scalar")] + [
    ("numpy._core.numeric", "_frombuffer"), ("numpy", "ndarray"), ("numpy", "dtype"), ("builtins", "bytearray"), ("builtins", "int"), ("builtins", "set"),
    ("builtins", "object"), ("builtins", "slice"), ("collections", "Counter"), ("collections", "OrderedDict"), ("collections", "deque"), ("collections", "defaultdict"),
    ("copyreg", "_reconstructor"), ("_codecs", "encode"), ("uuid", "UUID"), ("datetime", "datetime"), ("fractions", "Fraction"),
    ("builtins", "getattr"), ("zoneinfo", "ZoneInfo"), ("zoneinfo", "ZoneInfo._unpickle"), ("array", "array"), ("array", "_array_reconstructor"),
    ("pathlib", "PosixPath"), ("ipaddress", "IPv4Network"), ("builtins", "ValueError"), ("builtins", "OSError"), ("builtins", "Ellipsis"), ("numpy", "float64"),
    *[("numpy.random._pickle", f"__{what}_ctor") for what in ("bit_generator", "generator", "randomstate")]]
SIMPLE = [b"N", b"\x88", b"\x89", b")", b"]", b"}", b"(", b"t", b"\x85", b"\x86", b"\x87", b"R", b"\x81", b"b", b"a", b"e", b"s", b"u", b"\x90", b"0", b"2", b"1", b"o", b"\x92"]


def literal(r):
    kind = r.randrange(5)
    if kind == 0:
        return text(r.choice(WORDS))
    if kind == 1:
        return integer(r.choice(NUMBERS))
    if kind == 2:
        data = r.choice(BYTES)
        return b"C" + bytes([len(data)]) + data
    if kind == 3:
        data = r.choice(BYTES)
        return b"\x96" + struct.pack("<Q", len(data)) + data
    return r.choice(SIMPLE[:6])


def imported(r):
    module, name = r.choice(NAMES)
    return text(module) + text(name) + b"\x93"


def is_literal(step):
    return isinstance(step, bytes) and step[:1] in b"NKMJICBUXSTV\x88\x89\x8a\x8c\x8d\x8e\x96)]}G"


def mutate(r, corpus):
    steps = list(r.choice(corpus))
    for _ in range(r.choice([1, 1, 1, 2, 2, 3, 5])):
        at = r.randrange(len(steps)) if steps else 0
        kind = r.randrange(10)
        if kind < 4 and steps:
            places = [index for index, step in enumerate(steps) if is_literal(step)]
            if places:
                steps[r.choice(places)] = literal(r)
        elif kind == 4 and steps:
            other = r.choice(corpus)
            steps[at:at + 1] = other if r.random() < 0.5 else [imported(r)]
        elif kind == 5 and len(steps) > 1:
            del steps[at]
        elif kind == 6:
            steps.insert(at, r.choice([literal, imported, lambda r: r.choice(SIMPLE)])(r))
        elif kind == 7:
            places = [step[1] for step in steps if isinstance(step, tuple)] or [0]
            place = r.choice(places)
            change = r.choice([[literal(r), b"a"], [literal(r), literal(r), b"s"], [b"}", b"b"], [b"(", literal(r), b"e"], [b"}", text("append"), imported(r), b"s", b"b"]])
            steps += [("get", place), *change, b"\x86"]
        elif kind == 8 and steps:
            # A value that has a place of its own, and is used once more.
            place = ("own", at)
            steps.insert(at + 1, ("put", place))
            steps.insert(r.randrange(at + 1, len(steps) + 1), ("get", place))
        elif steps:
            other = r.randrange(len(steps))
            steps[at], steps[other] = steps[other], steps[at]
    return join(steps, r.choice([2, 3, 4, 4, 5]))


def mutants(count, seed):
    r = random.Random(seed)
    corpus = []
    while len(corpus) < 400:
        data = seed_pickle(r, r.choice([2, 3, 4, 4, 5]))
        if len(data) < 1500:
            corpus.append(split(data, len(corpus) * 1000))
    for _ in range(count):
        write(mutate(r, corpus))


if __name__ == "__main__":
    if sys.argv[1] == "load":
        answer()
    else:
        {"seeds": seeds, "mutants": mutants}[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
