"""What CPython's two unpicklers would import, asked by tests/foreign/pickle.rs.

Nothing is imported or called here but this file: find_class and persistent_load are replaced by recorders,
which give harmless objects back. Numbers are four bytes, the least significant first.

    pickle_oracle.py seeds COUNT SEED  writes COUNT pickles, each after its length
    pickle_oracle.py judge             reads batches: how many, then for each a mode and a pickle after its
                                       length; answers each with a line of JSON
    pickle_oracle.py names             writes _compat_pickle's tables as JSON
"""

import collections
import datetime
import decimal
import fractions
import io
import ipaddress
import json
import pathlib
import pickle
import pickletools
import random
import resource
import struct
import sys
import uuid
import zoneinfo


class Inert:
    """Stands for whatever is imported, made or looked up, and does nothing."""

    def __new__(cls, *_, **__):
        return object.__new__(cls)

    def __init__(self, *_, **__):
        pass

    def __call__(self, *_, **__):
        return Inert()

    def __setstate__(self, _):
        pass

    def __setitem__(self, _, __):
        pass

    def append(self, _):
        pass

    def extend(self, _):
        pass

    def add(self, _):
        pass


class Recorder:
    def start(self):
        self.names, self.persistent = [], 0
        return self

    def find_class(self, module, name):
        self.names.append((module, name))
        # A new one each time: a pickle may change what it imported.
        return type("Imported", (Inert,), {})

    def persistent_load(self, _):
        self.persistent += 1
        return Inert()


class InC(Recorder, pickle.Unpickler):
    pass


class InPython(Recorder, pickle._Unpickler):
    pass


ONE, MANY = 0, 1


def load(unpickler):
    """Loads a pickle, and returns whether there was one."""
    try:
        unpickler.load()
        return True
    except (MemoryError, RecursionError):
        raise
    except BaseException:  # whatever a pickle can bring about
        return False


def ask(data, mode):
    """Returns the names that were asked for, how many persistent ids, and how often it was loaded."""
    names, persistent, loaded = set(), 0, 0
    for kind in (InC, InPython):
        for keep in (False, True)[: 1 + mode]:
            file = io.BytesIO(data)
            unpickler = kind(file).start()
            while True:
                good = load(unpickler)
                names.update(unpickler.names)
                persistent += unpickler.persistent
                loaded += good
                if not good or mode == ONE or file.tell() == len(data):
                    break
                unpickler = unpickler.start() if keep else kind(file).start()
    return [sorted(names), persistent, loaded]


def number(file):
    data = file.read(4)
    return struct.unpack("<I", data)[0] if len(data) == 4 else None


def judge():
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    requests, answers = sys.stdin.buffer, sys.stdout
    while (count := number(requests)) is not None:
        batch = []
        for _ in range(count):
            mode = number(requests)
            batch.append((requests.read(number(requests)), mode))
        for data, mode in batch:
            answers.write(json.dumps(ask(data, mode)) + "\n")
        answers.flush()


class Source:
    """Random values of the classes that are on brine's list."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.shared = []

    def value(self, depth=0):
        r = self.random
        if self.shared and r.random() < 0.1:
            return r.choice(self.shared)
        kinds = LEAVES if depth > 3 or r.random() < 0.4 else LEAVES + HOLDERS
        value = r.choice(kinds)(self, depth + 1)
        if r.random() < 0.3:
            self.shared.append(value)
        return value

    def several(self, depth):
        return [self.value(depth) for _ in range(self.random.randrange(5))]

    def keys(self, depth):
        return [self.random.choice(LEAVES)(self, depth) for _ in range(self.random.randrange(4))]

    def pairs(self, depth):
        return [(key, self.value(depth)) for key in self.keys(depth)]

    def text(self):
        r = self.random
        return r.choice(["", "os", "getpid", "collections", "OrderedDict", "é", "a\nb", "\\u0041", "\x00", "x" * 300])

    def integer(self):
        r = self.random
        return r.choice([0, 1, -1, 255, 256, 65536, -(2**31), 2**31, 2**63, r.getrandbits(200), -r.getrandbits(2100)])


LEAVES = [
    lambda s, d: None,
    lambda s, d: True,
    lambda s, d: s.integer(),
    lambda s, d: s.random.choice([0.0, -0.0, 1.5, 1e300, 1e-7, float("inf"), float("nan")]),
    lambda s, d: complex(s.random.random(), 1),
    lambda s, d: s.text(),
    lambda s, d: s.text().encode() * s.random.randrange(3),
    lambda s, d: datetime.datetime(2026, 11, 21, s.random.randrange(24), tzinfo=datetime.timezone.utc),
    lambda s, d: datetime.date(2026, 1, 1),
    lambda s, d: datetime.time(1, 2),
    lambda s, d: datetime.timedelta(s.random.randrange(9), 3),
    lambda s, d: decimal.Decimal(s.random.randrange(1000)) / 8,
    lambda s, d: fractions.Fraction(s.random.randrange(99), 7),
    lambda s, d: uuid.UUID(int=s.random.getrandbits(128)),
    lambda s, d: range(s.random.randrange(9)),
    lambda s, d: collections.OrderedDict,
    lambda s, d: object(),
    lambda s, d: s.random.choice([pathlib.PosixPath("/a/b"), pathlib.PureWindowsPath("c:/a"), ...]),
    lambda s, d: s.random.choice([ipaddress.ip_address(5), ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_interface("::1/8")]),
    lambda s, d: s.random.choice([ValueError("a", 1), KeyError(), OSError(2, "no", "/x"), StopIteration(5)]),
    lambda s, d: datetime.datetime(2026, 11, 21, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
]
HOLDERS = [
    lambda s, d: s.several(d),
    lambda s, d: tuple(s.several(d)),
    lambda s, d: dict(s.pairs(d)),
    lambda s, d: set(s.keys(d)),
    lambda s, d: frozenset(s.keys(d)),
    lambda s, d: bytearray(s.text().encode()),
    lambda s, d: slice(s.integer(), None),
    lambda s, d: collections.deque(s.several(d), s.random.choice([None, 9])),
    lambda s, d: collections.OrderedDict(s.pairs(d)),
    lambda s, d: collections.defaultdict(s.random.choice([None, set, list, int, collections.OrderedDict]), s.pairs(d)),
    lambda s, d: collections.Counter(s.keys(d)),
]


def seeds(count, seed):
    out = sys.stdout.buffer
    for index in range(count):
        source = Source(f"{seed}/{index}")
        protocol = index % (pickle.HIGHEST_PROTOCOL + 1)
        pickler = pickle._dumps if source.random.random() < 0.3 else pickle.dumps
        data = pickler(source.value(), protocol)
        if source.random.random() < 0.2:
            data = pickletools.optimize(data)
        out.write(struct.pack("<I", len(data)) + data)


def names():
    import _compat_pickle

    pairs = sorted(list(old) + list(new) for old, new in _compat_pickle.NAME_MAPPING.items())
    json.dump([pairs, sorted(_compat_pickle.IMPORT_MAPPING.items())], sys.stdout)


if __name__ == "__main__":
    if sys.argv[1] == "seeds":
        seeds(int(sys.argv[2]), sys.argv[3])
    else:
        {"judge": judge, "names": names}[sys.argv[1]]()
