"""How a check says that it failed."""

from __future__ import annotations


class CheckFailedError(Exception):
    """Something is not as it should be. The message says what."""


def require(condition: bool, message: str) -> None:
    """@raise CheckFailedError: the condition is not true."""
    if not condition:
        raise CheckFailedError(message)
