"""Lists the extensions, and makes the package's description; all else is in pyproject.toml.

Switches, in the environment, for gcc and clang: TIMERWHEEL_DEBUG=1 builds for a
debugger, TIMERWHEEL_SANITIZE=address,undefined with these sanitizers,
TIMERWHEEL_COVERAGE=1 so that gcov counts how often each line runs (.ci/coverage).
"""

import os
import re
import sys
from glob import glob
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

COVERAGE = os.environ.get("TIMERWHEEL_COVERAGE") == "1"
DEBUG = os.environ.get("TIMERWHEEL_DEBUG") == "1"
SANITIZE = os.environ.get("TIMERWHEEL_SANITIZE")

compile_args: list[str] = []
link_args: list[str] = []

if COVERAGE or DEBUG or SANITIZE:
    compile_args += ["-O1" if SANITIZE else "-O0", "-g", "-UNDEBUG"]
elif os.name != "nt":
    compile_args += ["-O3"]
if sys.maxsize < 2**32 and os.name != "nt":
    # The x87 computes in 80 bits. Each result is to be a double at once, as Python's own are.
    # Else a deadline would differ from the same sum in Python, or from itself.
    compile_args += ["-fexcess-precision=standard"]
if SANITIZE:
    compile_args += [f"-fsanitize={SANITIZE}", "-fno-omit-frame-pointer"]
    link_args += [f"-fsanitize={SANITIZE}"]
if COVERAGE:
    compile_args += ["--coverage"]
    link_args += ["--coverage"]

# What `python -m timerwheel info` tells.
switches = {"coverage": COVERAGE, "debug": DEBUG, f"sanitize={SANITIZE}": SANITIZE}
macros = [("TIMERWHEEL_SWITCHES", " ".join(name for name, on in switches.items() if on))]

names = ["_core", "_tasks"]
if sys.platform.startswith("linux"):
    names.append("_alarm")


class BuildExtension(build_ext):
    """Puts the .pxd files into the package too, for other Cython code to cimport.

    Ends with a sentence where there is no compiler, in place of a traceback.
    """

    def run(self) -> None:
        super().run()
        if not self.inplace:  # else Cython's include path is to name ext
            for declarations in glob("ext/timerwheel/*.pxd"):
                self.copy_file(declarations, f"{self.build_lib}/timerwheel")

    def build_extension(self, ext: Extension) -> None:
        ext.define_macros.append(("TIMERWHEEL_VERSION", self.distribution.get_version()))
        try:
            super().build_extension(ext)
        except (BaseError, CCompilerError) as error:
            raise SystemExit(
                f"timerwheel could not be compiled ({error}). It needs a C compiler and Python's "
                "headers (Debian and Ubuntu: apt-get install gcc python3-dev; macOS: xcode-select "
                "--install; Windows: Build Tools for Visual Studio), or a ready-made wheel for "
                "this Python."
            ) from None


def description() -> str:
    """README.md without images of the tree, and with the text alone of links into it.

    A package index shows it by itself, where they would lead nowhere.
    """
    text = Path("README.md").read_text(encoding="utf-8")
    text = re.sub(r"^!\[[^]]*\]\((?!https?:)[^)]*\)\n+", "", text, flags=re.MULTILINE)
    return re.sub(r"\[([^]]*)\]\((?!https?:)[^)]*\)", r"\1", text)


setup(
    cmdclass={"build_ext": BuildExtension},
    long_description=description(),
    long_description_content_type="text/markdown",
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
        # Without autotestdict no module has a __test__, which doctest alone would look at.
        compiler_directives={"autotestdict": False},
        # The dates of the files do not tell when a switch has changed.
        force=True,
    ),
)
