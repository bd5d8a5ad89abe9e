"""The one part that needs a compiler, and that nothing needs: without it the decoder written in Python is used.

One build serves CPython 3.11 and every later version (the stable ABI), and links to nothing but Python.
"""

import os

from setuptools import Extension, setup

DECODE = Extension(
    "tusk_jupyter.results._decode",
    ["tusk_jupyter/results/_decode.c"],
    depends=[f"tusk_jupyter/results/{name}.h" for name in ("_columns", "_binary", "_memory", "_objects")],
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
    py_limited_api=True,
    optional=True,
    extra_compile_args=["-O2", "-fvisibility=hidden"] if os.name == "posix" else [],
)

setup(ext_modules=[DECODE], options={"bdist_wheel": {"py_limited_api": "cp311"}})
