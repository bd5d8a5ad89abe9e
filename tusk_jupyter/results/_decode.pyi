from typing import Any, Self, TypeAlias

from typing_extensions import Buffer

# rows, NULLs, validity, then numbers, or offsets and bytes
Taken: TypeAlias = tuple[int, int, Buffer | None, Buffer] | tuple[int, int, Buffer | None, Buffer, Buffer]

class Columns:
    def __new__(cls, kinds: bytes, accessors: tuple[int, int, int, int, int], scales: bytes = ..., /) -> Self: ...
    @property
    def nbytes(self) -> int: ...
    def append(self, result: int, rows: int, /) -> list[tuple[int, Taken | None, Taken]]: ...
    def take(self) -> list[Taken | None]: ...

def read_objects(
    content: int, offsets: Buffer, data: Buffer, first: int, count: int, /
) -> tuple[list[Any], list[int]]: ...
