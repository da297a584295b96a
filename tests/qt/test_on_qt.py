"""On Qt's event loop: one pass a timer, and none early.

In a folder of its own, which the other tests pass by: Qt takes a hundred megabytes, and has no
wheel for some Pythons. `.ci/qt` installs it and runs these.
"""

from __future__ import annotations

from helpers import SPARSE, run_python

QT = {"QT_API": "pyside6", "QT_QPA_PLATFORM": "offscreen"}

ON_QASYNC = """
    import asyncio, json, qasync
    from PySide6.QtCore import QCoreApplication
    app = QCoreApplication([])
    loop = qasync.QEventLoop(app)
    asyncio.set_event_loop(loop)
    from timerwheel.reactors import asyncioreactor
    asyncioreactor.install(loop)
    from twisted.internet import reactor
"""

ON_QT_REACTOR = """
    import json, os, sys, qreactor, timerwheel
    qreactor.install()
    from twisted.internet import reactor
    timerwheel.accelerate(reactor)
"""

# (Qt does not always survive the end of Python.)
END = """
    sys.stdout.flush()
    os._exit(0)
"""


def test_on_qasync() -> None:
    result = run_python(ON_QASYNC + SPARSE, **QT)
    assert result["timers"] == 24
    assert result["earliest"] >= 0
    assert result["passes"] <= 24 + 8


def test_on_qt_reactor() -> None:
    result = run_python(ON_QT_REACTOR + SPARSE + END, **QT)
    assert result["timers"] == 24
    assert result["earliest"] >= 0
    # This reactor makes a pass at once when a call is made, too.
    assert result["passes"] <= 2 * 24 + 8
