"""The examples, each started as its first lines say, with clients that speak its protocol."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from helpers import PATIENCE, WARNINGS, require, run_python

EXAMPLES = Path(__file__).parent.parent / "examples"


def with_more_time(play: Callable[[int], None]) -> None:
    """Do what rests on some time being enough, as an idle timeout is for a client that is not idle.

    On a busy machine it may not be: then it is done again with 5 times as much, and 15 times. What
    is wrong fails each time.
    """
    for times in 1, 5:
        with suppress(AssertionError, OSError, subprocess.TimeoutExpired):
            return play(times)
    return play(15)


class Server:
    """An example that is a server, in a process of its own, on a port that is free."""

    def __init__(self, name: str, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", *WARNINGS, EXAMPLES / f"{name}.py", "--port=0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        said, _, port = self.read_line().rpartition(" ")
        assert said == "listening on port", self.process.communicate(timeout=PATIENCE)
        self.port = int(port)

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def connect(self) -> LineClient:
        return LineClient(self.port)


@contextmanager
def serve(name: str, *options: str) -> Iterator[Server]:
    """Run an example until the test is done. It ends well, with nothing on its standard error."""
    server = Server(name, *options)
    try:
        yield server
        server.process.terminate()
        _, errors = server.process.communicate(timeout=PATIENCE)
        assert (server.process.returncode, errors) == (0, "")
    finally:
        server.process.kill()
        server.process.communicate()


class LineClient:
    """A connection on which lines are sent and read, by calls that wait for them."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.port = self.socket.getsockname()[1]
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> LineClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, *lines: str) -> None:
        """Send lines, in one go."""
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def read(self) -> str:
        """The next line; an empty string if the server has hung up."""
        return self.file.readline().decode().rstrip("\r\n")

    def read_until(self, last: str) -> list[str]:
        """The lines up to one that is `last`, or to the end."""
        lines = [self.read()]
        while lines[-1] not in (last, ""):
            lines.append(self.read())
        return lines


# Echo.


@pytest.mark.parametrize("reactor", ["epoll", "poll", "select", "asyncio", "uvloop"])
def test_echo_hangs_up_on_the_silent_in_order_of_their_last_lines(reactor: str) -> None:
    require(reactor)

    def play(times: int) -> None:
        with serve("echo", f"--reactor={reactor}", f"--idle={0.2 * times}") as server:
            with server.connect() as first, server.connect() as second:
                for client in (first, second, first):  # the first has its timeout pushed back
                    client.send("hello", "there")
                    assert [client.read(), client.read()] == ["hello", "there"]
                assert [first.read(), second.read()] == ["", ""]
            hung_up = [server.read_line(), server.read_line()]
            assert hung_up == [f"hung up on port {client.port}" for client in (second, first)]

    with_more_time(play)


# Threads.


def slow_digest(text: str) -> str:
    digest = text.encode()
    for _ in range(4):
        digest = hashlib.pbkdf2_hmac("sha256", digest, b"salt", 50_000)
    return f"{text} {digest.hex()}"


def test_threads_take_the_shortest_first_and_tell_how_far_they_are() -> None:
    with serve("threads", "--threads=1", "--tick=30") as server, server.connect() as client:
        client.send("long", "mid", "s")
        expected = []
        for text in ("s", "mid", "long"):
            expected += [f"{text} {part}%" for part in (0, 25, 50, 75)] + [slow_digest(text)]
        assert client.read_until(expected[-1]) == expected


def overtakes(client: LineClient) -> bool:
    """Whether a short text that comes last is hashed before a longer one that waits."""
    client.send("some", "longer")
    assert client.read() == "some 0%"
    client.send("s")
    lines = [client.read() for _ in range(14)]
    return lines.index("s 0%") < lines.index("longer 0%")


def test_threads_take_a_short_one_that_comes_late_before_long_ones_that_wait() -> None:
    with serve("threads", "--threads=1", "--tick=30") as server, server.connect() as client:
        # Most likely at once, unless the client was held up.
        assert any(overtakes(client) for _ in range(10))


def test_threads_do_not_hold_up_the_timer() -> None:
    answer = slow_digest("x")
    with serve("threads", "--tick=0.01") as server, server.connect() as client:
        meanwhile: list[str] = []
        while "tick" not in meanwhile:  # most likely at once, never if a job blocks the reactor
            client.send("x")
            lines = client.read_until(answer)
            assert lines[-1] == answer
            meanwhile = lines[lines.index("x 0%") :]


def test_threads_answer_what_was_asked_for_before_the_end() -> None:
    with serve("threads", "--threads=1", "--tick=30") as server, server.connect() as client:
        client.send("one", "other")
        assert client.read() == "one 0%"
        server.process.terminate()
        lines = client.read_until("")
        assert {slow_digest("one"), slow_digest("other")} < set(lines)
        server.process.wait(timeout=PATIENCE)  # so that it is not told again


# Chat.

IRC = """
    import json, os, signal, sys
    import timerwheel
    timerwheel.install()
    from twisted.internet.defer import Deferred
    from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
    from twisted.internet.task import react
    from twisted.words.protocols.irc import IRCClient

    class Client(IRCClient):
        "A user who remembers what he hears, and can wait for it."

        def __init__(self, nickname):
            self.nickname = nickname
            self.heard = []
            self.awaited = {}

        def handleCommand(self, command, prefix, params):
            super().handleCommand(command, prefix, params)
            self.hear(command, prefix.partition("!")[0], *params)

        def connectionLost(self, reason):
            super().connectionLost(reason)
            self.hear("LOST")

        def hear(self, *event):
            self.heard.append(event)
            for length in range(len(event) + 1):
                self.awaited.pop(event[:length], Deferred()).callback(None)

        async def until(self, *event):
            "Wait for what begins so, unless it has been heard."
            if all(heard[:len(event)] != event for heard in self.heard):
                await self.awaited.setdefault(event, Deferred())

    class Mute(Client):
        def irc_PING(self, prefix, params):
            pass

    async def connect(reactor, client):
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", int(sys.argv[1]))
        await connectProtocol(endpoint, client)
        return client

    async def join(reactor, client):
        await connect(reactor, client)
        await client.until("RPL_WELCOME")
        client.join("#room")
        await client.until("RPL_ENDOFNAMES")
        return client
"""

TALK = """
    async def main(reactor):
        ann, bob = [await join(reactor, Client(nick)) for nick in ("ann", "bob")]
        await ann.until("JOIN", "bob", "#room")
        bob.say("#room", "hello")
        await ann.until("PRIVMSG", "bob", "#room", "hello")
        ann.msg("bob", "psst")
        await bob.until("PRIVMSG", "ann", "bob", "psst")
        ann.sendLine("PING now")
        await ann.until("PONG")
        ann.sendLine("FROB")
        await ann.until("ERR_UNKNOWNCOMMAND")
        other_ann = await connect(reactor, Client("ann"))
        await other_ann.until("LOST")

        mute = await join(reactor, Mute("mute"))
        await ann.until("PART", "mute", "#room")
        await mute.until("LOST")
        lost = [user.nickname for user in (ann, bob, mute) if ("LOST",) in user.heard]
        bob.quit()
        await ann.until("PART", "bob", "#room")
        print(json.dumps({"lost": lost, "mute": [event[0] for event in mute.heard[-3:]]}))

    react(main)
"""

FLOOD = """
    def send(client, *lines):
        data = "".join(f"{line}\\r\\n" for line in lines).encode()
        assert client.transport.getHandle().send(data) == len(data)

    async def main(reactor):
        ann, loud, quiet = [
            await join(reactor, Client(nick)) for nick in ("ann", "loud", "quiet")]
        await loud.until("JOIN", "quiet", "#room")
        loud.heard.clear()
        # While the server sleeps, so that it finds all of it at once.
        os.kill(int(sys.argv[2]), signal.SIGSTOP)
        send(loud, *(f"PRIVMSG loud :{n}" for n in range(700)),
             *(f"PRIVMSG #room :{n}" for n in range(700)), "PING :now")
        send(quiet, "PRIVMSG #room :quiet")
        os.kill(int(sys.argv[2]), signal.SIGCONT)
        await ann.until("PRIVMSG", "loud", "#room", "699")
        loud.msg("ann", "is that all?")
        await ann.until("PRIVMSG", "loud", "ann")
        print(json.dumps({
            "loud": [(event[0], event[-1]) for event in loud.heard if "#room" not in event],
            "ann": [event[-1] for event in ann.heard if event[0] == "PRIVMSG"]}))

    react(main)
"""


def test_chat_drops_who_does_not_answer_and_nobody_else() -> None:
    def play(times: int) -> None:
        with serve("chat", "--heartbeat=0.1", f"--idle={times}") as server:
            result = run_python(IRC + TALK, str(server.port))
        assert result == {"lost": ["mute"], "mute": ["PING", "ERROR", "LOST"]}

    with_more_time(play)


def test_chat_is_fair_while_one_user_floods_it() -> None:
    with serve("chat") as server:
        result = run_python(IRC + FLOOD, str(server.port), str(server.process.pid))
    numbers = [str(number) for number in range(700)]
    (notice, pong), text = result["loud"][:2], result["loud"][2:]
    assert notice[0] == "NOTICE"
    assert "Slow down" in notice[1]
    assert pong[0] == "PONG"
    assert text == [["PRIVMSG", number] for number in numbers]
    assert result["ann"] == ["quiet", *numbers, "is that all?"]


# Presence.

XMPP = """
    import json, sys
    import timerwheel
    timerwheel.install()
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react
    from twisted.words.protocols.jabber import xmlstream
    from twisted.words.protocols.jabber.component import componentFactory
    from twisted.words.protocols.jabber.error import StanzaError

    class Component:
        "One that remembers what it is told, and can wait for it."

        def __init__(self, reactor, name, secret="secret"):
            self.heard = []
            self.awaited = {}
            factory = componentFactory(name, secret)
            factory.maxRetries = 0
            factory.addBootstrap(xmlstream.STREAM_CONNECTED_EVENT, self.connected)
            factory.addBootstrap(xmlstream.STREAM_AUTHD_EVENT, lambda _: self.hear("here"))
            factory.addBootstrap(
                xmlstream.STREAM_ERROR_EVENT, lambda failure: self.hear(failure.value.condition))
            factory.addBootstrap(xmlstream.STREAM_END_EVENT, lambda _: self.hear("end"))
            factory.addBootstrap("/presence", self.told)
            factory.addBootstrap("/iq[@type='get']/ping[@xmlns='urn:xmpp:ping']", self.pinged)
            reactor.connectTCP("127.0.0.1", int(sys.argv[1]), factory)

        def connected(self, stream):
            self.stream = stream

        def told(self, stanza):
            self.hear(stanza["from"] + " " + stanza.getAttribute("type", "available"))

        def pinged(self, iq):
            self.hear("ping")
            self.answer(iq)

        def answer(self, iq):
            self.stream.send(xmlstream.toResponse(iq, "result"))

        def hear(self, event):
            self.heard.append(event)
            self.awaited.pop(event, Deferred()).callback(None)

        async def until(self, event, count=1):
            while self.heard.count(event) < count:
                await self.awaited.setdefault(event, Deferred())

    class Ignorant(Component):
        def answer(self, iq):
            self.stream.send(StanzaError("service-unavailable").toResponse(iq))

    class Mute(Component):
        def answer(self, iq):
            pass

    async def main(reactor):
        ann = Component(reactor, "ann.example")
        await ann.until("here")
        bob = Ignorant(reactor, "bob.example")
        await ann.until("bob.example available")
        await bob.until("ann.example available")
        intruders = [
            Component(reactor, "ann.example"), Component(reactor, "eve.example", "a guess")]
        for intruder in intruders:
            await intruder.until("end")
        mute = Mute(reactor, "mute.example")
        for other in ann, bob:
            await other.until("mute.example unavailable")
        await mute.until("end")
        await ann.until("ping", 3)
        await bob.until("ping", 3)
        bob.stream.sendFooter()
        await ann.until("bob.example unavailable")
        await bob.until("end")
        print(json.dumps({"ann": [event for event in ann.heard if event != "ping"],
                          "bob": [event for event in bob.heard if event != "ping"],
                          "mute": mute.heard,
                          "intruders": [intruder.heard for intruder in intruders]}))

    react(main)
"""


def test_presence_drops_who_does_not_answer_and_tells_the_others() -> None:
    def play(times: int) -> None:
        with serve("presence", "--interval=0.05", f"--patience={times}") as server:
            result = run_python(XMPP, str(server.port))
        assert result == {
            "ann": [
                "here",
                *(f"{other} available" for other in ("bob.example", "mute.example")),
                "mute.example unavailable",
                "bob.example unavailable",
            ],
            "bob": [
                "here",
                "ann.example available",
                "mute.example available",
                "mute.example unavailable",
                "end",
            ],
            "mute": [
                "here",
                "ann.example available",
                "bob.example available",
                "ping",
                "connection-timeout",
                "end",
            ],
            "intruders": [["here", "conflict", "end"], ["not-authorized", "end"]],
        }

    with_more_time(play)


# The crawler.

SITES = """
    import json, os, sys
    from collections import Counter
    import timerwheel
    timerwheel.install()
    from twisted.internet import reactor
    from twisted.internet.defer import CancelledError, Deferred
    from twisted.internet.task import react
    from twisted.internet.utils import getProcessOutputAndValue
    from twisted.web.resource import Resource
    from twisted.web.server import NOT_DONE_YET, Site

    class Pages(Resource):
        "Pages that count who asks. Subclasses have page(), which gives a status and links."
        isLeaf = True

        def __init__(self):
            super().__init__()
            self.asked = Counter()
            self.running = self.most = 0
            port = reactor.listenTCP(0, Site(self), interface="127.0.0.1")
            self.url = f"http://127.0.0.1:{port.getHost().port}"

        def render_GET(self, request):
            path = request.path.decode()
            self.asked[path] += 1
            self.running += 1
            self.most = max(self.most, self.running)
            answer = Deferred.fromCoroutine(self.page(request, path))
            request.notifyFinish().addBoth(self.gone, answer)
            answer.addCallback(self.send, request)
            answer.addErrback(lambda failure: failure.trap(CancelledError))
            return NOT_DONE_YET

        def gone(self, result, answer):
            self.running -= 1
            answer.cancel()

        def send(self, answer, request):
            status, links = answer
            request.setResponseCode(status)
            request.setHeader("content-type", "text/html")
            request.write("".join(f"<a href='{link}'>a page</a>" for link in links).encode())
            request.finish()

    class Healthy(Pages):
        "Four pages, which are answered when two are asked for, a moment later."

        def __init__(self):
            super().__init__()
            self.waiting = []
            self.left = 4
            self.all_served = Deferred()

        async def page(self, request, path):
            if path == "/":
                return 200, ["1", "2#part", "3", "/4", "1", "http://elsewhere.invalid/"]
            turn = Deferred()
            self.waiting.append(turn)
            if len(self.waiting) == 2:
                while self.waiting:
                    reactor.callLater(0.05, self.waiting.pop().callback, None)
            await turn
            self.left -= 1
            if not self.left:
                self.all_served.callback(None)
            return 200, ["/"]

    class Unwell(Pages):
        "Pages that fail at times."

        async def page(self, request, path):
            asked = self.asked[path]
            if path == "/":
                return 200, ["/busy", "/flaky", "/dead", "/missing", "/stops", "/hangs", "/slow"]
            if path == "/busy" and asked == 1:
                return 429, []
            if path == "/dead" or (path == "/flaky" and asked < 3):
                return 503, []
            if path == "/missing":
                return 404, []
            if path == "/stops" and asked == 1:
                request.write(b"a part")
            if path in ("/stops", "/hangs") and asked == 1:
                await Deferred()
            if path == "/slow":
                await healthy.all_served
            return 200, []

    healthy, unwell = Healthy(), Unwell()

    async def main(reactor):
        output, errors, status = await getProcessOutputAndValue(
            sys.executable,
            [*sys.argv[1:], unwell.url, healthy.url + "/", "http://127.0.0.1:1/"], os.environ)
        output = output.decode().replace(unwell.url, "unwell").replace(healthy.url, "healthy")
        print(json.dumps({
            "lines": output.splitlines(), "errors": errors.decode(), "status": status,
            "most": [unwell.most, healthy.most],
            "asked": {**unwell.asked, **{"healthy" + path: n for path, n in healthy.asked.items()}},
        }))

    react(main)
"""


def test_crawler_tries_again_and_spares_each_site() -> None:
    def play(times: int) -> None:
        options = ["--per-site=2", f"--timeout={2 * times}", "--attempts=4", "--back-off=0.02"]
        command = ["-u", *WARNINGS, str(EXAMPLES / "crawler.py"), *options]
        result = run_python(SITES, *command)
        assert (result["status"], result["errors"]) == (0, "")
        assert result["most"] == [2, 2]
        assert result["asked"] == {
            "/": 1,
            "/busy": 2,
            "/flaky": 3,
            "/dead": 4,
            "/missing": 1,
            "/stops": 2,
            "/hangs": 2,
            "/slow": 1,
            **{f"healthy/{name}": 1 for name in ("", 1, 2, 3, 4)},
        }
        outcomes, waits = [], []
        for line in result["lines"]:
            if again := re.fullmatch(r"unwell/dead ServerError\(503\) again in (.*) s", line):
                waits.append(float(again[1]))
            elif not line.endswith(" s"):
                outcomes.append(line)
        assert sorted(outcomes) == [
            "healthy/ 200 1",
            "healthy/1 200 1",
            "healthy/2 200 1",
            "healthy/3 200 1",
            "healthy/4 200 1",
            "http://127.0.0.1:1/ ConnectionRefusedError('Connection refused') 4",
            "unwell 200 1",
            "unwell/busy 200 2",
            "unwell/dead ServerError(503) 4",
            "unwell/flaky 200 3",
            "unwell/hangs 200 2",
            "unwell/missing 404 1",
            "unwell/slow 200 1",
            "unwell/stops 200 2",
        ]
        for wait, least in zip(waits, [0.02, 0.04, 0.08], strict=True):
            assert least <= wait <= least + 0.02

    with_more_time(play)
