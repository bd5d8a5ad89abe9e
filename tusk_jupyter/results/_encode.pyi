from typing import TypeAlias

from typing_extensions import Buffer

# wire, storage, number, offset, rows, validity, values, data
Flat: TypeAlias = tuple[int, int, int, int, int, Buffer | None, Buffer | None, Buffer | None]
# the same; elements, the first one's number, their type's oid
Nested: TypeAlias = tuple[int, int, int, int, int, Buffer | None, Buffer | None, Buffer | None, Flat, int, int]

class Rows:
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __len__(self) -> int: ...

def rows(columns: tuple[Flat | Nested, ...], rows: int, head: bytes, used: Rows | None, /) -> tuple[Rows, int, int]: ...
