"""A hundred thousand tasks that are ready, on a real reactor that has I/O to do beside them."""

from __future__ import annotations

from helpers import run_python

BESIDE_IO = """
    import json
    import timerwheel
    timerwheel.install("epoll")
    from twisted.internet import reactor
    from twisted.internet.protocol import ClientFactory, ServerFactory
    from twisted.protocols.basic import LineReceiver
    from timerwheel.tasks import Scheduler

    COUNT = 100_000
    scheduler = Scheduler(reactor, budget=0.0001)
    priorities = [number * 7919 % 100 for number in range(COUNT)]
    ran, urgent, answers = [], [], []

    class Echo(LineReceiver):
        def lineReceived(self, line):
            self.sendLine(line)

    class Client(LineReceiver):
        def connectionMade(self):
            for number, priority in enumerate(priorities):
                scheduler.call(ran.append, number, priority=priority)
            self.ask()

        def ask(self):
            self.sendLine(b"%d" % len(answers))

        def lineReceived(self, line):
            answers.append((int(line), len(ran)))
            scheduler.call(run_urgent, len(ran), priority=-1)
            if len(ran) < COUNT:
                self.ask()
            else:
                scheduler.close().addCallback(lambda _: reactor.stop())

    def run_urgent(before):
        urgent.append((before, len(ran)))

    port = reactor.listenTCP(0, ServerFactory.forProtocol(Echo), interface="127.0.0.1")
    reactor.connectTCP("127.0.0.1", port.getHost().port, ClientFactory.forProtocol(Client))
    reactor.run()
    print(json.dumps({
        "in order, each once": ran == sorted(range(COUNT), key=priorities.__getitem__),
        "answers in order": [number for number, _ in answers] == list(range(len(answers))),
        "answers meanwhile": len({count for _, count in answers if 0 < count < COUNT}),
        "urgent": len(urgent) == len(answers),
        "urgent overtaken": [pair for pair in urgent if pair[0] != pair[1]],
    }))
"""


def test_tasks_run_in_order_and_let_the_reactor_do_its_io_between() -> None:
    """An urgent task that comes meanwhile is the next that runs, whatever waits."""
    result = run_python(BESIDE_IO)
    # Some hundreds. One pass for all that is ready would leave none.
    assert result.pop("answers meanwhile") > 20
    assert result == {
        "in order, each once": True,
        "answers in order": True,
        "urgent": True,
        "urgent overtaken": [],
    }
