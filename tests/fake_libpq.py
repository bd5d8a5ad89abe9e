"""What libpq itself never says: a result that contradicts itself. Imports nothing, so that a sanitizer can watch it."""

import ctypes
import functools


class Fake:
    """What libpq's functions say is whatever a test says: ``cells[row, column] = (length, value, is_null)``."""

    pgresult_ptr = 1

    def __init__(self, ntuples, nfields, cells):
        self.change(ntuples, cells)
        self.read = []
        number = functools.partial(ctypes.CFUNCTYPE, ctypes.c_int, ctypes.c_void_p)
        at = (ctypes.c_int, ctypes.c_int)

        def length(_, row, column):
            self.read.append((row, column))
            return self.cells[row, column][0]

        def value(_, row, column):
            given = self.cells[row, column][1]
            return None if given is None else ctypes.addressof(given)

        self._functions = (
            number()(lambda _: self.ntuples),
            number()(lambda _: nfields),
            ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, *at)(value),
            number(*at)(length),
            number(*at)(lambda _, row, column: self.cells[row, column][2]),
        )
        self.addresses = tuple(ctypes.cast(f, ctypes.c_void_p).value for f in self._functions)

    def change(self, ntuples, cells):
        self.ntuples, self.cells = ntuples, cells
