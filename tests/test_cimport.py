"""Other Cython code can cimport timerwheel, with no more at hand than what is installed."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from helpers import PATIENCE

import timerwheel
from timerwheel import PriorityQueue, TimerWheel

SETUP = """
from Cython.Build import cythonize
from setuptools import setup

setup(ext_modules=cythonize("cimporter.pyx", include_path={include_path!r}))
"""


def include_path() -> list[str]:
    """Where the .pxd files are, of a package in its working tree: else Cython finds them."""
    tree = Path(timerwheel.__file__).parents[2]
    return [str(tree / "ext")] if (tree / "setup.py").exists() else []


@pytest.fixture(scope="module")
def cimporter(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """tests/cimporter.pyx, compiled in a folder of its own."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler, for a module that cimports timerwheel")
    folder = tmp_path_factory.mktemp("cimporter")
    shutil.copy(Path(__file__).with_name("cimporter.pyx"), folder)
    (folder / "setup.py").write_text(SETUP.format(include_path=include_path()))
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 0, result.stdout + result.stderr
    (library,) = [*folder.glob("cimporter*.so"), *folder.glob("cimporter*.pyd")]
    spec = importlib.util.spec_from_file_location("cimporter", library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_queue_of_another_module(cimporter: ModuleType) -> None:
    jobs = cimporter.Jobs()
    assert isinstance(jobs, PriorityQueue)
    last = jobs.add(1, "last")
    jobs.add(2, "first")
    jobs.push(2.5, "second")
    jobs.defer(last, 3)
    jobs.check_invariants()
    assert [jobs.next_job() for _ in range(3)] == ["first", "second", "last"]
    with pytest.raises(IndexError, match="empty"):
        jobs.next_job()
    with pytest.raises(ValueError, match="not in this queue"):
        jobs.defer(last, 4)


def test_a_timer_is_armed_again_by_another_module(cimporter: ModuleType) -> None:
    wheel = TimerWheel(0.0)
    fired: list[str] = []
    timer = wheel.schedule(1.0, fired.append, "fired")
    wheel.advance(1.0)
    cimporter.rearm(wheel, timer, 2.0)
    assert timer.when == 3.0
    wheel.advance(3.0)
    assert fired == ["fired", "fired"]
    with pytest.raises(ValueError, match="cannot be NaN"):
        cimporter.rearm(wheel, timer, float("nan"))


def test_the_structs_of_another_module(cimporter: ModuleType) -> None:
    times = [float(number * 37 % 101) for number in range(101)]
    assert cimporter.in_order(times) == sorted(times)
