"""The descriptor of an alarm after a fork(): who closes it, and who goes on with which epoll."""

from __future__ import annotations

import pytest
from helpers import run_on, run_python

FORK = """
    import json, os, select, sys
    from timerwheel._wakers.alarm import AlarmWaker
    class Reactor:
        _POLL_IN, _POLL_OUT = select.POLLIN, select.POLLOUT
        def __init__(self, poller):
            self._poller, self._selectables, self.waits = poller, {}, []
            self._reads, self._writes = set(), set()
        def doIteration(self, timeout):
            self.waits.append(timeout)
    reactor = Reactor(getattr(select, sys.argv[1])())
    poller = reactor._poller
    waker = AlarmWaker(reactor)
    def fork(child):
        number = os.fork()
        if not number:
            try:
                child()
                os._exit(0)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
        assert os.waitpid(number, 0)[1] == 0
"""


@pytest.mark.parametrize("poller", ["poll", "epoll"])
def test_a_child_does_not_close_the_file_that_has_the_number(poller: str) -> None:
    program = """
    waker.wait(1)
    number = waker._alarm.fileno()
    os.close(number)
    file = open("/dev/null")
    assert file.fileno() == number
    before = os.fstat(number)
    def child():
        assert os.fstat(number) == before
        waker.wait(1)
        assert os.fstat(number) == before
        assert waker._alarm.fileno() != number
    fork(child)
    for _ in range(2):  # the first finds out
        waker.wait(0.5)
        assert os.fstat(number) == before
    print(json.dumps(waker._alarm.fileno() != number))
    """
    assert run_python(FORK + program, poller)


def test_another_poller_does_not_cost_the_file_that_has_the_number() -> None:
    program = """
    waker.wait(1)
    number = waker._alarm.fileno()
    os.close(number)
    file = open("/dev/null")
    before = os.fstat(number)
    reactor._poller = select.epoll()
    waker.wait(1)
    print(json.dumps(before == os.fstat(number) and waker._alarm.fileno() != number))
    """
    assert run_python(FORK + program, "epoll")


@pytest.mark.parametrize("first", ["0", "3600", "None", "detach"])
def test_a_child_that_goes_on_has_an_epoll_of_its_own(first: str) -> None:
    """What it watches is the same. The parent's epoll has the parent's alarm alone."""
    program = """
    ours, theirs = os.pipe()
    unheard, closed = os.pipe()
    for number in (ours, unheard, closed):
        reactor._selectables[number] = object()
        reactor._reads.add(number)
        poller.register(number, select.POLLIN)
    reactor._selectables[theirs] = object()
    reactor._writes.add(theirs)
    poller.register(theirs, select.POLLOUT)
    os.write(theirs, b"readable")
    waker.wait(0)
    waker.wait(0)
    waker.wait(3600)
    both = [(ours, select.POLLIN), (theirs, select.POLLOUT)]
    def child():
        os.close(closed)
        waker.detach() if sys.argv[2] == "detach" else waker.wait(eval(sys.argv[2]))
        assert reactor._poller is not poller
        assert not poller.closed
        assert sorted(reactor._poller.poll(10))[:2] == both
        waker.wait(0.0001)
        assert reactor.waits[-1] == 0.0001 + 0.002
        reactor._poller.unregister(ours)
        reactor._poller.unregister(theirs)
        # The other end of the pipe is open in the parent: nothing else to hear.
        assert reactor._poller.poll(10) == [(waker._alarm.fileno(), select.POLLIN)]
        waker.wait(3600)
    fork(child)
    assert sorted(poller.poll(0)) == both
    waker.wait(0)
    assert reactor._poller is poller
    alarm = waker._alarm.fileno()
    waker.wait(0.0001)
    assert select.select([alarm], [], [], 10)[0]
    assert (alarm, select.POLLIN) in poller.poll(10)
    print(json.dumps(True))
    """
    assert run_python(FORK + program, "epoll", first)


def test_a_parent_and_children_that_had_not_waited_yet_do_not_share_an_epoll() -> None:
    """As where workers are forked before the reactor runs."""
    program = """
    def worker():
        waker.wait(3600)
        assert reactor._poller is not poller
        second = reactor._poller
        def below():
            waker.wait(3600)
            assert reactor._poller not in (poller, second)
        fork(below)
        waker.wait(3600)
        assert reactor._poller is second
    fork(worker)
    fork(worker)
    waker.wait(0.0001)
    assert reactor._poller is poller
    print(json.dumps(poller.poll(10) == [(waker._alarm.fileno(), select.POLLIN)]))
    """
    assert run_python(FORK + program, "epoll")


def test_a_child_without_descriptors_leaves_the_shared_epoll_without_an_alarm_of_its_own() -> None:
    program = """
    import resource
    waker.wait(3600)
    def child():
        # The alarm's descriptor, and no other, is free.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        waker.wait(0.0004)
        assert reactor._poller is poller and waker._alarm is None
        assert reactor.waits[-1] == 0.0004
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(4):
            waker.wait(0.0004)
        assert reactor._poller is not poller and waker._alarm is not None
    fork(child)
    waker.wait(0.0001)
    print(json.dumps(poller.poll(10) == [(waker._alarm.fileno(), select.POLLIN)]))
    """
    assert run_python(FORK + program, "epoll")


def test_a_poller_that_a_child_puts_on_the_reactor_stays() -> None:
    program = """
    waker.wait(3600)
    def child():
        mine = reactor._poller = select.epoll()
        waker.wait(0.0001)
        assert reactor._poller is mine
        assert mine.poll(10) == [(waker._alarm.fileno(), select.POLLIN)]
    fork(child)
    print(json.dumps(True))
    """
    assert run_python(FORK + program, "epoll")


@pytest.mark.parametrize("name", ["epoll", "poll"])
def test_parent_and_child_both_go_on_with_the_reactor(name: str) -> None:
    """Each wakes once a timer, and hears its own connections."""
    program = """
    import os
    from twisted.internet.protocol import Factory, Protocol, ClientFactory
    passes = []
    run = reactor.runUntilCurrent
    reactor.runUntilCurrent = lambda: (passes.append(1), run())
    class Echo(Protocol):
        def dataReceived(self, data):
            self.transport.write(data)
    class Client(Protocol):
        def connectionMade(self):
            self.transport.write(b"hello")
        def dataReceived(self, data):
            assert data == b"hello"
            finish()
    def fire(left):
        if left:
            reactor.callLater(0.003, fire, left - 1)
        else:
            counts["passes"] = len(passes)
            server = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
            factory = ClientFactory.forProtocol(Client)
            reactor.connectTCP("127.0.0.1", server.getHost().port, factory)
    def finish():
        if child:
            os.waitpid(child, 0)
            os.close(theirs)
            with os.fdopen(ours) as file:
                print(json.dumps([counts["passes"], int(file.read())]))
        else:
            os.write(theirs, str(counts["passes"]).encode())
            os._exit(0)
        reactor.stop()
    def fork():
        global child
        child = os.fork()
        passes.clear()
        fire(50)
    counts = {}
    ours, theirs = os.pipe()
    reactor.callLater(0.01, fork)
    reactor.run()
    """
    for passes in run_on(name, program):
        assert passes <= 50 + 15


def test_a_child_that_runs_another_program_leaves_the_alarm_as_it_is() -> None:
    program = """
    from twisted.internet.protocol import ProcessProtocol
    from timerwheel._accelerate import KEY
    waker = vars(reactor)[KEY].waker
    class Program(ProcessProtocol):
        def processEnded(self, reason):
            reactor.callLater(0.001, finish)
    def spawn():
        global before
        before = reactor._poller, waker._alarm, waker._alarm.fileno()
        reactor.spawnProcess(Program(), "/bin/true", ["true"])
    def finish():
        print(json.dumps((reactor._poller, waker._alarm, waker._alarm.fileno()) == before))
        reactor.stop()
    # After the first wait, which makes the alarm.
    reactor.callLater(0, reactor.callLater, 0, spawn)
    reactor.run()
    """
    assert run_on("epoll", program)
