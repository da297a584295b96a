"""Twisted's default reactor of this platform with its delayed calls on the wheel."""

from __future__ import annotations

from timerwheel._install import install

__all__ = ["install"]
