import timerwheel

timerwheel.install()

from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from twisted.internet import reactor


class Server(WebSocketServerProtocol):
    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)


class Client(WebSocketClientProtocol):
    count = 0

    def onOpen(self):
        self.sendMessage(b"0")

    def onMessage(self, payload, isBinary):
        self.count += 1
        assert payload == b"%d" % (self.count - 1)
        if self.count < 100:
            self.sendMessage(b"%d" % self.count)
        else:
            print(timerwheel.status(reactor), "echoed", self.count, flush=True)
            reactor.stop()


server = WebSocketServerFactory()
server.protocol = Server
server.setProtocolOptions(autoPingInterval=0.05, autoPingTimeout=5)
port = reactor.listenTCP(0, server, interface="127.0.0.1").getHost().port
client = WebSocketClientFactory(f"ws://127.0.0.1:{port}")
client.protocol = Client
reactor.connectTCP("127.0.0.1", port, client)
reactor.run()
