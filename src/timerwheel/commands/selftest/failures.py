"""The error of a failed check."""

from __future__ import annotations


class CheckFailedError(Exception):
    """A check has failed. The message says why."""


def require(condition: bool, message: str) -> None:
    """@raise CheckFailedError: the condition is not true."""
    if not condition:
        raise CheckFailedError(message)
