"""The tests that the exam runs: CPython's of asyncio, and uvloop's own."""

from __future__ import annotations

import platform
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import iter_modules

# Tests of the inside, by the end of their name, and what they look at. They may differ.
_HEAP = "looks for its timer in loop._scheduled"

# uvloop's tests of what has no timers: its compiler, its sources, a build of it.
_BUILDS = frozenset({"test_cython", "test_libuv_api", "test_sourcecode"})


@dataclass
class Suite:
    """Tests, and where they are."""

    title: str
    package: str
    modules: list[str]
    """Of the package, those that have tests."""
    loops: str
    """Whose event loops get the wheel: asyncio's or uvloop's."""
    path: str = ""
    """The folder to import the package from, if Python does not know it."""
    expected: dict[str, str] = field(default_factory=dict)
    """Tests that may differ, by the end of their name, and why."""

    def full(self, module: str) -> str:
        """The name of a module by which it is imported."""
        return f"{self.package}.{module}"


def cpythons() -> Suite:
    """CPython's tests of asyncio, which come with each Python."""
    from test import test_asyncio

    return Suite(
        f"test.test_asyncio, Python {platform.python_version()}",
        "test.test_asyncio",
        _modules_in(test_asyncio.__path__),
        "asyncio",
        expected={
            "BaseEventLoopTests.test_call_later": _HEAP,
            "BaseEventLoopTests.test__run_once_cancelled_event_cleanup": _HEAP,
        },
    )


def uvloops(folder: Path) -> Suite:
    """The tests of the uvloop that is installed, of its sources, which pip puts into folder."""
    import uvloop

    version = uvloop.__version__
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary=uvloop", "--dest", str(folder), f"uvloop=={version}"]
    subprocess.run(command, check=True)
    (source,) = folder.glob("uvloop-*.tar.gz")
    # (Only these: its folder `uvloop` would hide the one that is installed.)
    tests = folder / "uvloops"
    with tarfile.open(source) as archive:
        for member in archive.getmembers():
            _, _, inside = member.name.partition("/")
            if inside.startswith("tests/") and member.isfile():
                place = tests / inside
                place.parent.mkdir(parents=True, exist_ok=True)
                content = archive.extractfile(member)
                assert content is not None
                place.write_bytes(content.read())
    modules = [m for m in _modules_in([str(tests / "tests")]) if m not in _BUILDS]
    title = f"the tests of uvloop {version}, Python {platform.python_version()}"
    return Suite(title, "tests", modules, "uvloop", str(tests))


def _modules_in(path: Iterable[str]) -> list[str]:
    return sorted(module.name for module in iter_modules(path) if module.name[:5] == "test_")
