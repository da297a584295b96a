"""Builds the fuzz target: as an extension module, and as a program with libFuzzer."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

from setuptools import Distribution, Extension

HERE = Path(__file__).parent
EXT = HERE.parents[1] / "ext"
COMPILER = os.environ.get("CC", "clang")
# Not -fwrapv, one of Python's own flags: what C leaves undefined is a fault. Without trace-cmp,
# which takes two fifths of the time: no operation hangs on a number that is hard to guess.
FLAGS = [
    *("-g", "-O2", "-DWITH_LIBFUZZER"),
    "-fsanitize=fuzzer,address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-sanitize-coverage=trace-cmp",
]


def translate(folder: Path) -> Path:
    """Have Cython write the target in C, with the lines that each part comes from."""
    source = folder / "target.c"
    command = [sys.executable, "-m", "cython", "--line-directives", "-I", str(EXT)]
    subprocess.run([*command, str(HERE / "target.pyx"), "-o", str(source)], check=True)
    return source


def build_module(folder: Path) -> ModuleType:
    """Build the target as an extension module, and import it."""
    extension = Extension("target", [str(translate(folder))])
    distribution = Distribution({"ext_modules": [extension]})
    command = distribution.get_command_obj("build_ext")
    command.build_lib = command.build_temp = str(folder)
    distribution.run_command("build_ext")
    spec = importlib.util.spec_from_file_location("target", command.get_ext_fullpath("target"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_program(folder: Path) -> Path:
    """Build the target as a program with libFuzzer, which has this Python within it."""
    program = folder / "target"
    library, version, others = sysconfig.get_config_vars("LIBDIR", "LDVERSION", "LIBS")
    subprocess.run(
        [
            *(COMPILER, *FLAGS, f'-DPYTHON_HOME="{sys.base_prefix}"'),
            *("-I", sysconfig.get_path("include"), "-I", str(folder)),
            *(str(translate(folder)), str(HERE / "libfuzzer.c"), "-o", str(program)),
            *("-L", library, f"-Wl,-rpath,{library}", f"-lpython{version}", "-lm", *others.split()),
        ],
        check=True,
    )
    return program
