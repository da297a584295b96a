"""Lists the extensions; all else is in pyproject.toml.

Switches, in the environment: TIMERWHEEL_DEBUG=1 builds for a debugger,
TIMERWHEEL_SANITIZE=address,undefined with these sanitizers, TIMERWHEEL_COVERAGE=1
so that coverage sees the lines of the Cython sources.
"""

import os
import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

COVERAGE = os.environ.get("TIMERWHEEL_COVERAGE") == "1"
DEBUG = os.environ.get("TIMERWHEEL_DEBUG") == "1"
SANITIZE = os.environ.get("TIMERWHEEL_SANITIZE")

compile_args: list[str] = []
link_args: list[str] = []
macros: list[tuple[str, str | None]] = []

if DEBUG or SANITIZE:
    compile_args += ["-O1" if SANITIZE else "-O0", "-g", "-UNDEBUG"]
elif os.name != "nt":
    compile_args += ["-O3"]
if SANITIZE:
    compile_args += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"]
    link_args += [f"-fsanitize={SANITIZE}"]
if COVERAGE:
    macros += [("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]

names = ["_core"]
if sys.platform.startswith("linux"):
    names.append("_alarm")

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"timerwheel.{name}",
                [f"ext/timerwheel/{name}.pyx"],
                extra_compile_args=compile_args,
                extra_link_args=link_args,
                define_macros=macros,
            )
            for name in names
        ],
        include_path=["ext"],
        compiler_directives={"linetrace": COVERAGE},
    ),
)
