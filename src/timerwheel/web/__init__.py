"""A page that shows the timers of a reactor, live: a resource for any server of twisted.web.

    from timerwheel.web import TimersPage

    root.putChild(b"timers", TimersPage(reactor))

The page only reads. It shows names of functions and files. Mount it where only the people who run
the program can reach it.
"""

from __future__ import annotations

from timerwheel.web.resource import TimersPage

__all__ = ["TimersPage"]
