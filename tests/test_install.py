"""install(), the plugin's short names, and the errors of both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from helpers import require, run_python
from twisted.application.reactors import NoSuchReactor, getReactorTypes

import timerwheel
from timerwheel._reactors import NAMES, REACTORS, ReactorName


def test_installs_the_default_of_the_platform() -> None:
    result = run_python(
        """
        import json, timerwheel
        timerwheel.install()
        from twisted.internet import default, reactor
        print(json.dumps([type(reactor).__module__, default.install.__module__]))
        """
    )
    assert result[0].rpartition(".")[2] == result[1].rpartition(".")[2]


def test_an_installed_reactor_is_twisteds_own_error_with_advice() -> None:
    result = run_python(
        """
        import json, timerwheel
        from timerwheel.reactors import selectreactor
        from twisted.internet import reactor
        from twisted.internet.error import ReactorAlreadyInstalledError
        said = []
        for install in timerwheel.install, selectreactor.install:
            try:
                install()
            except ReactorAlreadyInstalledError as error:
                said.append(str(error))
        import twisted.internet.reactor as now
        print(json.dumps([said, now is reactor]))
        """
    )
    assert result[1] is True
    assert len(result[0]) == 2
    for said in result[0]:
        assert said.startswith("reactor already installed: ")
        assert "timerwheel.accelerate(reactor)" in said


def test_the_error_names_the_module_that_imported_the_reactor(tmp_path: Path) -> None:
    """The first to do so, not its importer, nor who has it from there."""
    (tmp_path / "first.py").write_text("import quiet\nfrom twisted.internet import reactor\n")
    (tmp_path / "quiet.py").write_text("import twisted.internet\n")
    (tmp_path / "outer.py").write_text("import first, second\nreactor = first.reactor\n")
    (tmp_path / "second.py").write_text("from first import reactor\n")
    said = run_python(
        """
        import importlib.util, json, sys
        # What passes for a module and has no dict does not matter.
        class Foreign:
            __slots__ = ()
            __class__ = type(sys)
        # A module that is yet to be loaded is left alone.
        spec = importlib.util.find_spec("this")
        lazy = importlib.util.LazyLoader(spec.loader)
        sys.modules["this"] = module = importlib.util.module_from_spec(spec)
        lazy.exec_module(module)
        import outer, timerwheel
        sys.modules["foreign"] = Foreign()
        try:
            timerwheel.install()
        except Exception as error:
            print(json.dumps(str(error)))
        """,
        PYTHONPATH=str(tmp_path),
    )
    assert re.match(r"reactor already installed: \w+, imported by first\. ", said)
    assert "--reactor=timerwheel-accelerate" in said


def test_a_short_name_takes_the_reactor_that_is_installed() -> None:
    """As where a plugin of another package has imported the reactor."""
    result = run_python(
        """
        import json
        from twisted.application.reactors import installReactor
        installReactor("select")
        from twisted.internet import reactor
        installReactor("timerwheel-accelerate")
        import timerwheel
        print(json.dumps([type(reactor).__module__, timerwheel.status(reactor).accelerated]))
        """
    )
    assert result == ["twisted.internet.selectreactor", True]


def test_a_short_name_takes_the_default_where_none_is_installed() -> None:
    accelerated = run_python(
        """
        import json, timerwheel
        from twisted.application.reactors import installReactor
        print(json.dumps(timerwheel.status(installReactor("timerwheel-accelerate")).accelerated))
        """
    )
    assert accelerated is True


@pytest.mark.parametrize(
    "name", ["epoll", "poll", "select", "asyncio", "threadedselect", "gi", "gtk3"]
)
def test_each_module_installs_its_reactor(name: str) -> None:
    """As Scrapy does."""
    require("gi" if name == "gtk3" else name)
    result = run_python(
        """
        import json, sys
        from importlib import import_module
        module = import_module(f"timerwheel.reactors.{sys.argv[1]}")
        module.install()
        from twisted.internet import reactor
        is_ours = type(reactor) in vars(module).values()  # (GTK's has GLib's name)
        print(json.dumps([is_ours, "_timerwheel" in vars(reactor)]))
        """,
        REACTORS[name].module,
    )
    assert result == [True, True]


def test_a_name_that_is_not_known() -> None:
    with pytest.raises(
        NoSuchReactor, match=r"'turbo' is no reactor's short name\. Known are .*epoll"
    ):
        timerwheel.install("turbo")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "meant"), [("epol", "epoll"), ("timerwheel-pol", "poll"), ("defualt", "default")]
)
def test_a_name_that_is_almost_right(name: Any, meant: str) -> None:
    with pytest.raises(NoSuchReactor, match=f"'{name}' is no .* Did you mean '{meant}'\\?"):
        timerwheel.install(name)


def test_type_checkers_know_the_names() -> None:
    assert get_type_hints(timerwheel.install)["name"] == ReactorName
    assert get_args(ReactorName) == NAMES


def test_a_clock_that_is_not_known() -> None:
    with pytest.raises(ValueError, match='clock is "wall" or "steady", not \'sundial\''):
        timerwheel.install(clock="sundial")  # type: ignore[arg-type]


def test_the_plugin_has_all_short_names() -> None:
    installers = {installer.shortName: installer for installer in getReactorTypes()}
    ours = {name for name in installers if name.startswith("timerwheel")}
    names = {"timerwheel", "timerwheel-accelerate", *(f"timerwheel-{name}" for name in REACTORS)}
    assert ours == names
    for name, reactor in REACTORS.items():
        installer = installers[f"timerwheel-{name}"]
        assert installer.moduleName == f"timerwheel.reactors.{reactor.module}"
        assert installer.description


@pytest.mark.parametrize("name", ["timerwheel", "timerwheel-epoll", "timerwheel-asyncio"])
def test_twisted_installs_by_a_short_name(name: str) -> None:
    result = run_python(
        """
        import json, sys
        from twisted.application.reactors import installReactor
        reactor = installReactor(sys.argv[1])
        print(json.dumps([type(reactor).__module__, "_timerwheel" in vars(reactor)]))
        """,
        name,
    )
    assert result[0].startswith("timerwheel.reactors.")
    assert result[1] is True


def test_the_queue_and_the_wheel_by_themselves_import_no_twisted() -> None:
    result = run_python(
        """
        import json, sys
        from timerwheel import PriorityQueue, TimerWheel
        wheel, queue = TimerWheel(0), PriorityQueue()
        wheel.schedule(1, queue.push, 1, "item")
        wheel.advance(1)
        print(json.dumps([queue.pop(), sorted(name for name in sys.modules if "twisted" in name)]))
        """
    )
    assert result == ["item", []]


def test_what_pending_calls_hold_is_destroyed_when_python_ends(tmp_path: Path) -> None:
    """A file is flushed, say. The call refers to the reactor, as that of a LoopingCall does."""
    path = tmp_path / "journal"
    run_python(
        """
        import json, sys
        import timerwheel
        timerwheel.install()
        from twisted.internet import reactor, task
        class Journal:
            def __init__(self):
                self.file = open(sys.argv[1], "w")
                task.LoopingCall(self.flush).start(3600, now=False)
            def flush(self):
                self.file.flush()
            def __del__(self):
                self.file.close()
        def write():
            Journal().file.write("the last entry")
            print(json.dumps(len(reactor.getDelayedCalls())))
        write()
        """,
        str(path),
    )
    assert path.read_text() == "the last entry"


def test_a_reactor_that_another_has_replaced_is_garbage() -> None:
    """As test suites do that take it out of sys.modules."""
    gone = run_python(
        """
        import gc, json, sys, weakref
        import timerwheel
        timerwheel.install("select")
        from twisted.internet import reactor
        gone = weakref.ref(reactor.callLater(3600, reactor.stop))
        del reactor, sys.modules["twisted.internet.reactor"]
        import twisted.internet
        del twisted.internet.reactor
        timerwheel.install("select")
        gc.collect()
        print(json.dumps(gone() is None))
        """
    )
    assert gone
