"""Each input that `python tests/fuzz` keeps, without a fuzzer: the wheel agrees with the oracle."""

from __future__ import annotations

import shutil
from types import ModuleType

import pytest
from fuzz import building, corpus


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The fuzz target, built anew."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler, for the fuzz target")
    return building.build_module(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("line", range(1, len(corpus.read()) + 1))
def test_the_wheel_and_the_heap_do_what_the_oracle_does(target: ModuleType, line: int) -> None:
    target.run(corpus.read()[line - 1], steps=True)
