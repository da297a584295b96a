"""A page that shows the timers of a reactor, live: a resource for any server of twisted.web.

    from timerwheel.web import TimersPage

    root.putChild(b"timers", TimersPage(reactor))

The page only reads. It shows names of functions and files: mount it where those may look who run
the program, and not where the public is.
"""

from __future__ import annotations

from timerwheel.web.resource import TimersPage

__all__ = ["TimersPage"]
