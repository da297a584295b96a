"""Each reactor that this platform has, run for real: order, never early, one pass a timer."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest
from helpers import REAL, SPARSE, run_on, run_python

import timerwheel
from timerwheel._reactors import REACTORS

ELSEWHERE = ["cf", "glib2", "iocp", "kqueue", "win32", "wx"]

BUSY = """
    import random
    from twisted.internet.protocol import Factory, Protocol, ClientFactory
    chance = random.Random(5)
    fired, calls, due = [], [], {}
    def fire(number):
        assert reactor.seconds() >= due[number], "early"
        fired.append(number)
    for number in range(2000):
        delay = chance.random()
        calls.append(reactor.callLater(delay, fire, number))
    for number, call in enumerate(calls):
        if number % 5 == 1:
            call.reset(chance.random())
        elif number % 5 == 2:
            call.delay(chance.random() / 2)
        due[number] = call.getTime()
        if number % 5 == 3:
            call.cancel()
    expected = sorted(
        (n for n in range(2000) if n % 5 != 3), key=lambda n: (due[n], n))
    echoed = []
    class Echo(Protocol):
        def dataReceived(self, data):
            self.transport.write(data)
    class Client(Protocol):
        def connectionMade(self):
            self.transport.write(b"x")
        def dataReceived(self, data):
            echoed.append(data)
            reactor.callLater(0.005, self.transport.write, b"x")
    port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
    reactor.connectTCP("127.0.0.1", port.getHost().port, ClientFactory.forProtocol(Client))
    sooner = reactor.callLater(30, lambda: fired.append("sooner"))
    reactor.callLater(0.1, lambda: sooner.reset(1.7))
    reactor.callInThread(lambda: reactor.callFromThread(fired.insert, 0, "thread"))
    reactor.callLater(2, reactor.stop)
    reactor.run()
    print(json.dumps({
        "thread": fired[0], "ordered": fired[1:-1] == expected, "last": fired[-1],
        "echoes": len(echoed) > 20,
    }))
"""

# Fails once, before or after a pass. Then the event loop, as I/O would, has a call made later.
FAILS = """
    loop = getattr(reactor, "_asyncioEventloop", None)
    if loop is None:
        from gi.repository import GLib
        soon, later = GLib.idle_add, lambda seconds, f: GLib.timeout_add(seconds * 1000, f)
    else:
        soon, later = loop.call_soon, loop.call_later
        loop.set_exception_handler(lambda loop, context: None)
    run, failed, made = reactor.runUntilCurrent, [], []
    def fail():
        failed.append(1)
        soon(lambda: reactor.callLater(0.01, finish) and None)
        raise {exception}("once")
    def once():
        if {before} and not failed:
            fail()
        run()
        if not failed:
            fail()
    def finish():
        made.append(1)
        reactor.stop()
    reactor.runUntilCurrent = once
    reactor.callLater(0, int)
    later(10, reactor.crash)
    try:
        reactor.run(installSignalHandlers=False)
    except KeyboardInterrupt:
        loop.run_forever()
    print(json.dumps(made))
"""


@pytest.mark.parametrize("name", REAL)
def test_one_pass_a_timer_and_never_early(name: str) -> None:
    """libuv#4773, uvloop#739, uvloop#233, cpython#127859, twisted#9935: early by a floored clock,
    or spinning until it is time."""
    result = run_on(name, SPARSE)
    assert result["timers"] == 24
    assert result["earliest"] >= 0
    # Twisted's own loop of the threaded reactor makes two passes a turn. The first call from a
    # thread, or a signal, may add a few.
    a_timer = 2 if name == "threadedselect" else 1
    assert result["passes"] <= 24 * a_timer + 8


# Event loops that programs bring: the module of each, and how it is made. (Qt is in qt/.)
LOOPS = {
    "uvloop": ("uvloop", "loop = type('Mine', (uvloop.Loop,), {})()"),
    "gi.events": (
        "gi.events",
        "from gi.repository import GLib; "
        "loop = gi.events.GLibEventLoop(GLib.MainContext.default())",
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_one_pass_a_timer_on_an_event_loop_that_a_program_brings(name: str) -> None:
    module, make = LOOPS[name]
    pytest.importorskip(module)
    install = f"""
    import asyncio, json, {module}
    {make}
    asyncio.set_event_loop(loop)
    from timerwheel.reactors import asyncioreactor
    asyncioreactor.install(loop)
    from twisted.internet import reactor
    """
    result = run_python(install + SPARSE)
    assert result["timers"] == 24
    assert result["earliest"] >= 0
    assert result["passes"] <= 24 + 8


@pytest.mark.parametrize("name", REAL)
def test_busy_with_timers_threads_and_connections(name: str) -> None:
    result = run_on(name, BUSY)
    assert result == {"thread": "thread", "ordered": True, "last": "sooner", "echoes": True}


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("name", "exception"),
    [
        ("asyncio", "RuntimeError"),
        ("asyncio", "KeyboardInterrupt"),
        ("uvloop", "RuntimeError"),
        ("gi", "RuntimeError"),
    ],
)
def test_a_pass_that_fails_stops_no_later_timer(name: str, exception: str, before: bool) -> None:
    assert run_on(name, FAILS.format(exception=exception, before=before)) == [1]


# A timed call that runs the event loop until another call, made in there, has been: as a dialog of
# GTK's does, and nest_asyncio, which turns the asyncio loop by hand like this.
NESTS = """
    loop = getattr(reactor, "_asyncioEventloop", None)
    if loop is None:
        from gi.repository import GLib
        later = lambda seconds, f: GLib.timeout_add(seconds * 1000, f)
        turn = lambda: GLib.MainContext.default().iteration(True)
    else:
        later, turn = loop.call_later, loop._run_once
    made = []
    def dialog():
        reactor.callLater(60, int)
        reactor.callLater(0.02, made.append, 1)
        reactor.callLater(0, made.append, 0)
        while len(made) < 2:
            turn()
        made.append("closed")
        reactor.callLater(0, reactor.stop)
    def give_up():
        made.extend(["given", "up"])
        reactor.crash()
    reactor.callLater(0, dialog)
    later(10, give_up)
    reactor.run(installSignalHandlers=False)
    print(json.dumps(made))
"""


@pytest.mark.parametrize("name", ["asyncio", "gi"])
def test_a_call_that_runs_the_event_loop_sees_calls_made_in_there(name: str) -> None:
    assert run_on(name, NESTS) == [0, 1, "closed"]


LEAVES = """
    call = reactor.callLater(60, int)
    reactor.doIteration(0.001)
    reactor._poller.close()
    timerwheel.restore(reactor)
    print(json.dumps([reactor.getDelayedCalls() == [call], "timeout" in vars(reactor)]))
"""

LEAVES_A_LOOP = """
    import asyncio
    calls = [reactor.callLater(60, int)]
    reactor._asyncioEventloop.close()
    timerwheel.restore(reactor)
    reactor._asyncioEventloop = asyncio.new_event_loop()
    calls.append(reactor.callLater(90, int))
    armed = reactor._timerHandle.when() - reactor._asyncioEventloop.time()
    assert 50 < armed <= 60, armed
    assert not vars(reactor).get("_timerwheel")
    reactor._asyncioEventloop.close()
    print(json.dumps([reactor.getDelayedCalls() == calls, "timeout" in vars(reactor)]))
"""


@pytest.mark.parametrize(("name", "program"), [("epoll", LEAVES), ("asyncio", LEAVES_A_LOOP)])
def test_a_reactor_is_left_also_when_what_it_waits_with_is_closed(name: str, program: str) -> None:
    assert run_on(name, program) == [True, False]


@pytest.mark.parametrize("name", ["epoll", "select", "asyncio"])
def test_with_the_steady_clock(name: str) -> None:
    assert run_on(name, BUSY, "steady")["ordered"]


@pytest.mark.filterwarnings(
    r"ignore:twisted\.internet\.g\w+2reactor was deprecated:DeprecationWarning"
)
@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_reactor_that_is_not_available_says_what_to_do(name: str) -> None:
    with pytest.raises(ImportError, match=f"the {name} reactor is not available.*Choose another"):
        timerwheel.install(name)


def test_each_module_is_that_of_a_reactor_of_the_table() -> None:
    folder = Path(timerwheel.__file__).parent / "reactors"
    shared = {"__init__", "_install", "_wheel", "default", "installed"}
    modules = {path.stem for path in folder.glob("*.py")} - shared
    assert modules == {reactor.module for reactor in REACTORS.values()}


@pytest.mark.parametrize("name", REACTORS)
def test_modules_have_twisteds_names(name: str) -> None:
    """The class and install(), in a module of the same name; other platforms' too."""
    module = REACTORS[name].module
    path = Path(timerwheel.__file__).parent / "reactors" / f"{module}.py"
    tree = ast.parse(path.read_text())
    (exported,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    stock_path = Path(import_module("twisted.internet").__file__ or "").parent
    stock_module = stock_path / ("iocpreactor/reactor.py" if name == "iocp" else f"{module}.py")
    stock = stock_module.read_text()
    assert "install" in exported
    for exported_name in set(exported) - {"install"}:
        assert f"class {exported_name}(" in stock or f"{exported_name} = " in stock


@pytest.mark.parametrize("name", ["epoll", "poll", "select", "asyncio", "threadedselect"])
def test_the_class_is_in_the_module_with_install(name: str) -> None:
    module = REACTORS[name].module
    ours = import_module(f"timerwheel.reactors.{module}")
    stock = import_module(f"twisted.internet.{module}")
    (exported,) = set(ours.__all__) - {"install"}
    reactor_class = getattr(ours, exported)
    assert reactor_class.__module__ == ours.__name__
    assert issubclass(reactor_class, getattr(stock, exported))
    assert REACTORS[name].methods_module in [base.__module__ for base in reactor_class.__mro__]


@pytest.mark.parametrize("name", REACTORS)
def test_where_the_methods_are_that_a_waker_replaces(name: str) -> None:
    """In a module of Twisted's that defines a class of reactors; other platforms' too."""
    folder = Path(import_module("twisted").__file__ or "").parents[1]
    source = folder.joinpath(*REACTORS[name].methods_module.split(".")).with_suffix(".py")
    tree = ast.parse(source.read_text())
    assert any(isinstance(node, ast.ClassDef) and "Reactor" in node.name for node in tree.body)
