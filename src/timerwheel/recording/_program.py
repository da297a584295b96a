"""The description of a program in a recording."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from timerwheel._core import find_queue
from timerwheel.recording._format import Header


def header_of(reactor: Any) -> Header:
    """Names of the reactor and its clock, and the versions."""
    kind, clock = type(reactor), reactor.seconds
    name = getattr(clock, "__qualname__", type(clock).__qualname__)
    module = getattr(clock, "__module__", None) or type(clock).__module__
    return Header(
        clock=f"{module}.{name}",
        reactor=f"{kind.__module__}.{kind.__qualname__}",
        wheel=find_queue(reactor) is not None,
        versions={
            "python": python_version(),
            "twisted": _version("twisted"),
            "timerwheel": _version("timerwheel"),
        },
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # installed without metadata, as frozen programs are
        return "unknown"
