"""Runs in an interpreter of its own, sanitizers loaded: Python's side of the decoder, on libpq's functions made up here.

glue_fuzz.py EXTENSION SEED ROUNDS
"""

import contextlib
import ctypes
import gc
import random
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec

from tests.fake_libpq import Fake

TEXTS = ["", "t", "f", "1", "-17", "1.5", "-0.75", "17.00", "NaN", "1e300", "\\x00ff", "\\xz", "2024-01-01", "2024-01-01 00:00:00",
         "2024-01-01 00:00:00+01", "infinity", "four", "eight by", "two halves of 16", "some longer words of text", "d\u00e9j\u00e0"]  # fmt: skip


def load(path):
    spec = ModuleSpec("_decode", ExtensionFileLoader("_decode", path), origin=path)
    module = spec.loader.create_module(spec)
    spec.loader.exec_module(module)
    return module


def cell(pick):
    if pick.random() < 0.15:
        return 0, None, 1
    raw = pick.choice(TEXTS).encode() if pick.random() < 0.95 else pick.randbytes(pick.randrange(9))
    if pick.random() < 0.002:
        return pick.choice([(-1, None, 0), (5, None, 0)])
    return len(raw), (ctypes.c_char * max(1, len(raw))).from_buffer_copy(raw or b"\0"), 0


OBJECTS = ['{"id": 1, "name": "n\\n1"}', "[1.5, [], {}, null]", '"words"', "{1,2,NULL}", "{{1},{2}}", '{"a b","c\\"d",NULL}', "{t,f}", "{0.5,-1e+20}",
           "{" * 9, "[" * 99, "[" + "1," * 30 + "1]", "{" + "1," * 30 + "1}"]  # fmt: skip


def read_objects(module, pick):
    """Texts that lie in exactly as many bytes as they have, some of them damaged."""
    raw = [bytearray(pick.choice(OBJECTS).encode()) for _ in range(pick.randrange(6))]
    for text in raw:
        while pick.random() < 0.4 and text:
            at = pick.randrange(len(text))
            text[at : at + pick.randrange(3)] = pick.choice([b"", b'"', b"\\", b"{", b"}", b"]", b",", b"\xff", b"9" * 20, b" "])
    ends = [0]
    for text in raw:
        ends.append(ends[-1] + len(text))
    if pick.random() < 0.05:
        ends[pick.randrange(len(ends))] += pick.choice([-1, 1, 2**40])
    offsets = b"".join(end.to_bytes(8, "little", signed=True) for end in ends)
    count = len(raw) + (pick.random() < 0.02)
    values, refused = module.read_objects(pick.randrange(5), offsets, b"".join(raw), 0, count)
    assert len(values) == count
    return len(refused)


def read(taken):
    """Touch every byte that was given out, after all else is gone."""
    rows, nulls, validity, *buffers = taken
    assert 0 <= nulls <= rows
    assert (validity is None) == (nulls == 0)
    return sum(sum(memoryview(buffer)) for buffer in (validity, *buffers) if buffer is not None)


def main():
    module, pick = load(sys.argv[1]), random.Random(int(sys.argv[2]))
    said = {"stored": 0, "refused": 0, "broken": 0, "unread": 0}
    for _ in range(int(sys.argv[3])):
        count = pick.randrange(5)
        kinds = bytes(pick.randrange(22) for _ in range(count))
        kept, columns = [], None
        for _ in range(pick.randrange(1, 4)):
            rows = pick.randrange(12)
            cells = {(row, column): cell(pick) for row in range(rows) for column in range(count)}
            if columns is None or pick.random() < 0.1:
                fake = Fake(rows, count, cells)
                columns = module.Columns(kinds, fake.addresses, bytes(pick.randrange(4) for _ in range(count)))
            else:
                fake.change(rows, cells)
            try:
                for _, before, aside in columns.append(1, rows):
                    said["refused"] += 1
                    kept += [taken for taken in (before, aside) if taken is not None]
                said["stored"] += 1
            except ValueError:
                said["broken"] += 1
            assert columns.nbytes >= 0
        if pick.random() < 0.8:
            kept += [taken for taken in columns.take() if taken is not None]
        with contextlib.suppress(ValueError):
            said["unread"] += read_objects(module, pick)
        for nonsense in [(b"\x16", (1,) * 5), (b"\x15", (1,) * 5), (b"", (1,) * 4), (b"\0", (0,) * 5), (b"\x15", (1,) * 5, b"\x12"), (1, 2), ()]:
            with contextlib.suppress(ValueError, IndexError, TypeError):
                module.Columns(*nonsense)
        for nonsense in [(0, 0), (1, -1), (1, 10**6), ("", 0), (1, 2**40), ()]:
            with contextlib.suppress(ValueError, TypeError, OverflowError):
                columns.append(*nonsense)
        del columns
        gc.collect(0)
        for taken in kept:
            read(taken)
    sys.stdout.write(" ".join(f"{name} {number > 0:d}" for name, number in said.items()) + "\n")


main()
