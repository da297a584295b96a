"""The versions of everything that affects timers here."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from timerwheel._core import BUILD_SWITCHES, CYTHON_VERSION, VERSION


def versions() -> dict[str, str]:
    """@return: what there is, and its version."""
    return {
        "timerwheel": VERSION,
        "build": BUILD_SWITCHES or "release",
        "cython": CYTHON_VERSION,
        "python": f"{platform.python_version()}, {platform.python_implementation()}",
        "twisted": package_version("twisted"),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip() or "not known",
    }


def versions_in_a_line() -> str:
    """@return: the same, for people who read from left to right."""
    return "; ".join(f"{name} {what}" for name, what in versions().items())


def package_version(name: str) -> str:
    """@return: the version of a package that is installed, or a remark that it is not known."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not known, its package has no metadata here"
