"""Runs in an interpreter of its own, sanitizers loaded: Python's side of the encoder, on descriptions made up here.

glue_rows_fuzz.py EXTENSION SEED ROUNDS
"""

import contextlib
import random
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec

WIRES, STORAGES = 17, 17
NUMBERS = [0, 1, 2, 4, 8, 16, -1, 2**31, 2**63 - 1, -(2**63), 2**64, None, "x"]


def load(path):
    spec = ModuleSpec("_encode", ExtensionFileLoader("_encode", path), origin=path)
    module = spec.loader.create_module(spec)
    spec.loader.exec_module(module)
    return module


def buffer(pick):
    if pick.random() < 0.3:
        return None
    if pick.random() < 0.02:
        return pick.choice([1, "text", memoryview(b"abcd")[::2]])
    return pick.choice([bytes, bytearray, memoryview])(pick.randbytes(pick.choice([0, 1, 8, 16, 40, 200])))


def number(pick, usual):
    return pick.choice(NUMBERS) if pick.random() < 0.03 else usual


def column(pick, rows, depth=0):
    described = [number(pick, pick.randrange(WIRES)), number(pick, pick.randrange(STORAGES)), number(pick, pick.randrange(20)),
                 number(pick, pick.randrange(3)), number(pick, rows), buffer(pick), buffer(pick), buffer(pick)]  # fmt: skip
    if depth < 3 and pick.random() < 0.3:
        described += [column(pick, pick.randrange(9), depth + 1), number(pick, pick.randrange(3)), number(pick, 23)]
    return tuple(described) if pick.random() < 0.98 else pick.choice([described, tuple(described[:-1]), None])


def main():
    module, pick = load(sys.argv[1]), random.Random(int(sys.argv[2]))
    kept = []
    said = {"written": 0, "refused": 0, "broken": 0}
    for _ in range(int(sys.argv[3])):
        rows = pick.randrange(4)
        columns = tuple(column(pick, rows) for _ in range(pick.randrange(3)))
        try:
            used = pick.choice(kept)[0] if kept and pick.random() < 0.5 else pick.choice([None, b"", module])
            data, done, at = module.rows(columns, number(pick, rows), pick.choice([b"", b"head"]), used)
            said["written" if at < 0 else "refused"] += 1
            assert len(memoryview(data)) == len(data)
            # what is looked at stays as it is
            kept.append((data, memoryview(data) if pick.random() < 0.5 else None, bytes(data)))
            for _, view, before in kept:
                assert view is None or view == before
            if len(kept) > 9:
                del kept[pick.randrange(10)]
            assert 0 <= done <= rows
        except (ValueError, TypeError, OverflowError, BufferError, MemoryError):
            said["broken"] += 1
        for nonsense in [(), ((), 0, b""), ([], 0, b"", 1), ((), 0, "", 1), (columns * 900, rows, b"", 1), ((), 2**40, b"", 1)]:
            with contextlib.suppress(ValueError, TypeError, OverflowError, BufferError):
                module.rows(*nonsense)
    sys.stdout.write(" ".join(f"{name} {number > 0:d}" for name, number in said.items()) + "\n")


main()
