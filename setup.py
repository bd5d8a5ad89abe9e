"""The two parts that need a compiler, and that nothing needs: without them results are decoded in Python, and loads
are sent as CSV.

One build of each serves CPython 3.11 and every later version (the stable ABI), and links to nothing but Python.
"""

import os

from setuptools import Extension, setup


def compiled(name: str, *headers: str) -> Extension:
    """Return an extension of one C file and the headers that hold what it does."""
    return Extension(
        f"tusk_jupyter.results.{name}",
        [f"tusk_jupyter/results/{name}.c"],
        depends=[f"tusk_jupyter/results/{header}.h" for header in headers],
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        py_limited_api=True,
        optional=True,
        extra_compile_args=["-O2", "-fvisibility=hidden"] if os.name == "posix" else [],
    )


setup(
    ext_modules=[
        compiled("_decode", "_columns", "_binary", "_memory", "_objects"),
        compiled("_encode", "_rows"),
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
