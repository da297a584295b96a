"""A pytest plugin: with --timer-leaks, a test that leaves timers pending fails.

Pytest imports this in each run. It is a module of its own so that a run without the option
imports neither Twisted nor timerwheel's extension.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare --timer-leaks, and `timer_leaks` in the configuration file."""
    text = "fail tests that leave timers of Twisted pending (timerwheel)"
    parser.getgroup("timerwheel").addoption("--timer-leaks", action="store_true", help=text)
    parser.addini("timer_leaks", type="bool", default=False, help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark, and start to watch if the option is on."""
    config.addinivalue_line(
        "markers",
        "allow_pending_timers(*allowed): the test may leave timers pending. A number allows so "
        "many, a name those that call a function of this name; without arguments, any",
    )
    if config.getoption("timer_leaks") or config.getini("timer_leaks"):
        from timerwheel.testing._pytest import TimerLeaks

        config.pluginmanager.register(TimerLeaks(), "timerwheel-leaks")
