"""Registers a procedure at the router, calls it, and leaves."""

import sys

import timerwheel

timerwheel.install()

from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from twisted.internet.defer import inlineCallbacks


class Adder(ApplicationSession):
    @inlineCallbacks
    def onJoin(self, details):
        yield self.register(lambda x, y: x + y, "com.example.add")
        total = yield self.call("com.example.add", 20, 22)
        print("the router answers", total, flush=True)
        self.leave()

    def onDisconnect(self):
        from twisted.internet import reactor

        reactor.stop()


ApplicationRunner(sys.argv[1], "realm1").run(Adder)
