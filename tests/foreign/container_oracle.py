"""Archives, arrays and compressed files, damaged and spliced, with what loaders would import from them; for
tests/foreign/pickle_containers.rs.

    container_oracle.py COUNT SEED DIRECTORY

For each sample it writes a length of four bytes, the least significant first, the sample, and a line of JSON: all
names that were asked for, whichever reader found the pickle. Nothing is imported or called: pickle_oracle.py's
unpicklers do not.
"""

import ast
import gzip
import io
import json
import pathlib
import random
import resource
import struct
import sys
import zipfile
import zlib

from pickle_oracle import ONE, ask

MOST = 1 << 22


def inflate(data, bits):
    """Inflates as much as there is, and all streams one after the other."""
    found = b""
    while data and len(found) < MOST:
        stream = zlib.decompressobj(bits)
        try:
            found += stream.decompress(data, MOST)
        except zlib.error:
            break
        if not stream.eof:
            break
        data = stream.unused_data
    return found


def by_directory(data):
    """What Python's zipfile reads."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception:
        return
    for entry in archive.infolist()[:100]:
        try:
            with archive.open(entry) as member:
                yield member.read(MOST)
        except Exception:
            pass


def by_headers(data):
    """What a reader finds that goes from header to header, as those do that cannot seek."""
    at = 0
    while data[at : at + 4] == b"PK\x03\x04":
        header = data[at : at + 30]
        if len(header) < 30:
            return
        _, _, flags, method, _, _, _, packed, length, name, extra = struct.unpack("<IHHHHHIIIHH", header)
        start = at + 30 + name + extra
        at = start + packed
        if flags & 8 or packed == 0xFFFFFFFF:
            # The length is unknown: what follows is searched for.
            found = [data.find(mark, start) for mark in (b"PK\x07\x08", b"PK\x03\x04", b"PK\x01\x02")]
            at = min((place for place in found if place >= 0), default=len(data))
        contents = data[start:at]
        yield inflate(data[start:], -15) if method == 8 else contents
        if data[at : at + 4] == b"PK\x07\x08":
            at = data.find(b"PK\x03\x04", at, at + 28)


def array(data):
    """What numpy.load unpickles. It can be called again for what follows an array."""
    file = io.BytesIO(data)
    while file.read(6) == b"\x93NUMPY":
        version = file.read(2)
        try:
            if version == b"\x01\x00":
                header = file.read(*struct.unpack("<H", file.read(2)))
            else:
                header = file.read(*struct.unpack("<I", file.read(4)))
            described = ast.literal_eval(header.decode("latin-1"))
            kind, shape = described["descr"], described["shape"]
        except Exception:
            return
        if "O" in str(kind):
            yield file.read()
            return
        count = 1
        for length in shape:
            count *= length
        try:
            file.read(count * int(kind[2:]))
        except Exception:
            yield file.read()
            return


def names(data, level=0):
    """Every name that some reader would ask for."""
    found = set()
    if level > 4 or not data:
        return found
    try:
        asked, _, _ = ask(data, ONE)
    except (MemoryError, RecursionError) as error:
        # What is allowed allocates no more than the file is long.
        asked = [("error", type(error).__name__)]
    found.update(map(tuple, asked))
    readers = [array(data), by_directory(data)]
    if data[:2] == b"PK":
        readers.append(by_headers(data))
    if data[:2] == b"\x1f\x8b":
        readers.append([inflate(data, 31)])
    if data[:1] == b"x":
        readers.append([inflate(data, 15)])
    for reader in readers:
        for part in reader:
            found |= names(part, level + 1)
    return found


def sample(r, seeds):
    data = bytearray(r.choice(seeds))
    for _ in range(r.choice((0, 1, 1, 2, 3))):
        at = r.randrange(len(data) + 1)
        other = r.choice(seeds)
        match r.randrange(9):
            case 0 if at < len(data):
                data[at] ^= 1 << r.randrange(8)
            case 1 if at < len(data):
                data[at] = r.choice((0, 1, 0xFF, 0x2E, r.randrange(256)))
            case 2:
                del data[at : at + r.choice((1, 2, 16))]
            case 3:
                data[at:at] = bytes(r.randrange(256) for _ in range(r.choice((1, 4))))
            case 4:
                data += other
            case 5:
                data[:0] = other
            case 6:
                data[at:at] = other
            case 7:
                data = bytearray(gzip.compress(bytes(data), mtime=0))
            case 8:
                # In a pickle of bytes, with its end behind it.
                data = bytearray(b"\x80\x04B" + struct.pack("<I", len(data)) + data + b"0N.")
    return bytes(data)


def main(count, seed, directory):
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    r = random.Random(int(seed))
    files = sorted(path for path in pathlib.Path(directory).iterdir() if path.suffix != ".json")
    seeds = [path.read_bytes() for path in files]
    for _ in range(int(count)):
        data = sample(r, seeds)
        out = sys.stdout.buffer
        out.write(struct.pack("<I", len(data)) + data)
        out.write(json.dumps(sorted(names(data))).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
