import sys

import timerwheel

timerwheel.install()

import txtorcon
from twisted.internet import task
from twisted.internet.endpoints import UNIXClientEndpoint


async def main(reactor):
    tor = await txtorcon.connect(reactor, UNIXClientEndpoint(reactor, sys.argv[1]))
    print(timerwheel.status(reactor), "Tor", tor.version, flush=True)


task.react(lambda reactor: main(reactor))
