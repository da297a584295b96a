"""Libraries with which tests travel in time, used before or after anything of ours is.

Each program runs in a process of its own: what is used first is what matters.
"""

from __future__ import annotations

import pytest
from helpers import run_python

PROGRAM = """
    import datetime, json, sys, time
    library, moment, how, tick, stock = sys.argv[1:]
    destination = datetime.datetime(2031, 1, 1)
    if library == "time_machine":
        import time_machine
        def travel():
            return time_machine.travel(destination, tick=tick == "ticking")
    else:
        import freezegun
        def travel():
            return freezegun.freeze_time(destination, tick=tick == "ticking")

    def make():
        from twisted.internet.selectreactor import SelectReactor
        if stock != "stock":
            import timerwheel
        if how == "install":
            if "twisted.internet.reactor" not in sys.modules:
                if stock == "stock":
                    from twisted.internet.main import installReactor
                    installReactor(SelectReactor())
                else:
                    timerwheel.install("select")
            return sys.modules["twisted.internet.reactor"]
        reactor = SelectReactor()
        if stock != "stock":
            timerwheel.accelerate(reactor)
        return reactor

    # What is used first: nothing; the library; or ours, in the middle of a travel.
    if moment == "library first":
        with travel():
            time.time()
    elif moment == "during":
        with travel():
            make()
    reactor = make()
    fired = []
    reactor.callLater(3600, fired.append, "timeout")
    seen = []
    for _ in range(2):
        with travel():
            seen.append(round(reactor.callLater(10, int).getTime() - reactor.seconds(), 1))
            reactor.runUntilCurrent()
            seen.append(len(fired))
        call = reactor.callLater(20, int)
        seen.append(round(call.getTime() - reactor.seconds(), 1))
        call.reset(30)
        seen.append(round(call.getTime() - reactor.seconds(), 1))
        seen.append(round(reactor.timeout(), 1) <= 30)
    print(json.dumps(seen))
"""


@pytest.mark.parametrize("tick", ["frozen", "ticking"])
@pytest.mark.parametrize("how", ["install", "accelerate"])
@pytest.mark.parametrize("moment", ["ours first", "library first", "during"])
@pytest.mark.parametrize("library", ["time_machine", "freezegun"])
def test_a_delay_is_a_delay_wherever_time_is(
    library: str, moment: str, how: str, tick: str
) -> None:
    pytest.importorskip(library)
    ours = run_python(PROGRAM, library, moment, how, tick, "ours")
    assert ours == run_python(PROGRAM, library, moment, how, tick, "stock")
    assert (ours[0], ours[2], ours[3]) == (10, 20, 30)
