"""`python -m timerwheel top`, and how it and `info` ask a page."""

from __future__ import annotations

import io
import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import UnixStreamServer
from typing import Any

import pytest
from helpers import FakeClock
from rich.console import Console

import timerwheel
from timerwheel.__main__ import main
from timerwheel.commands.address import FORMAT, NoAnswerError, ask
from timerwheel.commands.buckets import difference, percentile
from timerwheel.commands.info.page import Page, find_page
from timerwheel.commands.report.bars import sparkline
from timerwheel.commands.report.text import amount, clean, seconds
from timerwheel.commands.top.history import History
from timerwheel.commands.top.screen import fitted, frame
from timerwheel.observe._survey import survey
from timerwheel.web.snapshot import FORMAT as PAGES_FORMAT
from timerwheel.web.snapshot import snapshot


def look(reactor: Any) -> Any:
    """What the page would show now, as it comes out of JSON."""
    steps = survey(reactor, 20)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return json.loads(json.dumps(snapshot(reactor, end.value, 0.5)))


class Handler(BaseHTTPRequestHandler):
    """Answers what the test wants."""

    answer: tuple[int, bytes] = (200, b"")

    def do_GET(self) -> None:
        status, body = self.answer
        self.send_response(status if self.path.endswith("/data.json") else 404)
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "a UNIX socket"

    def log_message(self, format: str, *args: object) -> None:
        """Not on the test's standard error."""


class UnixServer(UnixStreamServer):
    """HTTP at a UNIX socket."""


@contextmanager
def serving(server: Any, status: int, body: bytes) -> Iterator[None]:
    server.RequestHandlerClass = type("Handler", (Handler,), {"answer": (status, body)})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def at_socket(path: Path, body: bytes, status: int = 200) -> Iterator[str]:
    with serving(UnixServer(str(path), Handler), status, body):
        yield str(path)


@contextmanager
def at_url(body: bytes, status: int = 200) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    with serving(server, status, body):
        yield f"http://127.0.0.1:{server.server_port}/timers"


@pytest.fixture
def busy(reactor: Any, clock: FakeClock) -> Iterator[Any]:
    """A watched reactor with calls made and calls pending."""
    with timerwheel.watch(reactor, slow=0, on_slow=lambda slow: None, origins=True):
        for delay in (1, 1, 1, 20, 5000, float("inf")):
            reactor.callLater(delay, int)
        clock.advance(1.5)
        reactor.runUntilCurrent()
        yield reactor


# To ask


def answer(*, format: int = FORMAT, accelerated: bool = True) -> bytes:
    """The part of the figures by which a page is known."""
    status = {"accelerated": accelerated, "versions": {"timerwheel": "9.9.9"}}
    return json.dumps({"format": format, "status": status}).encode()


def test_the_command_knows_the_format_of_the_page() -> None:
    assert FORMAT == PAGES_FORMAT


@pytest.mark.parametrize("prefix", ["", "unix:"])
def test_a_page_at_a_socket_is_asked(tmp_path: Path, busy: Any, prefix: str) -> None:
    shown = look(busy)
    with at_socket(tmp_path / "s", json.dumps(shown).encode()) as path:
        assert ask(prefix + path) == shown


@pytest.mark.parametrize("end", ["", "/"])
def test_a_page_at_a_url_is_asked(busy: Any, end: str) -> None:
    shown = look(busy)
    with at_url(json.dumps(shown).encode()) as url:
        assert ask(url + end) == shown


@pytest.mark.parametrize(
    ("status", "body", "complaint"),
    [
        (404, b"", "it answers 404"),
        (200, b"<html>", "is not a page of timerwheel.web"),
        (200, b"[]", "is not a page of timerwheel.web"),
        (200, b'{"status": null}', "is not a page of timerwheel.web"),
        (200, b"[" * 100_000, "is not a page of timerwheel.web"),
        (200, answer(), "is not a page of timerwheel.web"),
        (200, answer(accelerated=False), "the wheel has been taken out"),
        (200, answer(format=99), "the page at"),
        (200, answer(format=99), "is of timerwheel 9.9.9, which this one does not understand"),
    ],
)
def test_what_is_no_page_is_one_clear_error(
    tmp_path: Path, status: int, body: bytes, complaint: str
) -> None:
    with at_socket(tmp_path / "s", body, status) as path, pytest.raises(NoAnswerError) as error:
        ask(path)
    assert complaint in str(error.value)
    with at_url(body, status) as url, pytest.raises(NoAnswerError) as error:
        ask(url)
    assert complaint in str(error.value)


@pytest.mark.parametrize("address", ["/nowhere/s", "http://127.0.0.1:1/", "ftp://x/", "http://["])
def test_where_nobody_is_the_command_says_so(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", address]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"no answer from {address}: ")
    assert len(printed.err.splitlines()) == 1


# To reckon


def test_rates_are_what_happened_between_two_looks(busy: Any, clock: FakeClock) -> None:
    history = History()
    first = look(busy)
    history.add(first)
    assert history.last("made") is None
    for delay in (1, 1, 1, 1):
        busy.callLater(delay, int)
    clock.advance(3)
    busy.runUntilCurrent()
    second = look(busy)
    second["stats"]["elapsed"] = first["stats"]["elapsed"] + 2
    history.add(second)
    assert history.last("made") == history.last("scheduled") == 2
    assert history.last("passes") == 0.5
    assert history.last("largest") == 2  # these four were two seconds late
    assert history.last("median") == pytest.approx(2, rel=1 / 16)


def test_a_program_that_was_restarted_begins_anew(busy: Any) -> None:
    history = History()
    shown = look(busy)
    history.add(shown)
    again = json.loads(json.dumps(shown))
    again["stats"]["elapsed"] -= 1e-9
    history.add(again)
    assert history.last("made") is None
    assert len(history.lines["pending"]) == 1


def test_a_look_at_the_same_moment_adds_no_rate(busy: Any) -> None:
    history = History()
    shown = look(busy)
    history.add(shown)
    history.add(shown)
    assert history.last("made") is None


def test_percentiles_of_a_difference() -> None:
    changes = difference([[1.0, 5], [2.0, 1]], [[1.0, 5], [2.0, 3], [None, 2]])
    assert changes == [(2.0, 2), (float("inf"), 2)]
    assert (percentile(changes, 50), percentile(changes, 99)) == (2.0, float("inf"))
    assert percentile([], 50) == 0.0


# To show


def drawn(history: History, trouble: str | None = None, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as printed:
        console.print(frame(history, "unix:/s", trouble, 20))
    return printed.get()


def test_the_screen_has_what_the_page_has(busy: Any) -> None:
    history = History()
    history.add(look(busy))
    history.add(look(busy))
    text = drawn(history)
    for part in ("pending", "helpers.StockReactor", "int", "never", "10 s to 1 min", "slow calls"):
        assert part in text
    assert "Took" in text


@pytest.mark.parametrize(("width", "height"), [(40, 60), (60, 30), (80, 24), (100, 40), (200, 60)])
def test_on_a_small_screen_no_figure_is_cut(busy: Any, width: int, height: int) -> None:
    history = History()
    history.add(look(busy))
    data = look(busy)
    data["stats"].update(pending=1_234_567, memory=987 * 2**20, longest_pass=0.123)
    for kind in ("function", "times"):
        table = data["survey"]["by"]["function"] if kind == "function" else data["survey"]["times"]
        table[:] = (table * 20)[:20]
    history.add(data)
    console = Console(
        width=width, height=height, file=io.StringIO(), color_system=None, force_terminal=True
    )
    with console.capture() as printed:
        console.print(fitted(console, history, "unix:/s", None))
    text = printed.get()
    for part in ("pending      1,234,567", "longest pass 123 ms", "memory       987.0 MiB"):
        assert part in text
    if width >= 60:
        assert len(text.splitlines()) <= height


def test_without_watch_and_survey_it_says_so(reactor: Any) -> None:
    history = History()
    history.add(json.loads(json.dumps(snapshot(reactor, None, 0.0))))
    assert "Looking through" in drawn(history)
    history.add(look(reactor))
    assert "No watch is on" in drawn(history)


def test_a_call_that_is_infinitely_late_is_shown(reactor: Any) -> None:
    history = History()
    history.add(json.loads(json.dumps(snapshot(reactor, None, 0.0))))
    reactor.callLater(5, int).delay(-math.inf)
    reactor.runUntilCurrent()
    history.add(json.loads(json.dumps(snapshot(reactor, None, 0.0))))
    assert history.last("largest") == math.inf
    assert "no end" in drawn(history)
    lines = Page("/socket", history.latest, None).lines()
    assert "no end" in dict(lines)["  lateness"]


def test_what_a_page_says_of_itself_does_nothing_to_the_terminal(reactor: Any) -> None:
    data = json.loads(json.dumps(snapshot(reactor, None, 0.0)))
    data["status"].update(clock="\x1b[2J", versions={"\x1b]0;title\x07": "\x9b"})
    history = History()
    history.add(data)
    assert not {"\x1b", "\x07", "\x9b"} & set(drawn(history))


def test_a_name_does_nothing_to_the_terminal(reactor: Any) -> None:
    def evil() -> None:
        """Has a name that is no name."""

    evil.__qualname__ = "\x1b]0;title\x07[bold]\x9b2J"
    reactor.callLater(1000, evil)
    history = History()
    history.add(look(reactor))
    text = drawn(history, "trouble \x1b[2J", 200)
    assert "[bold]" in text  # as it is: no markup
    assert not {"\x1b", "\x07", "\x9b"} & set(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0 us"),
        (5e-05, "50 us"),
        (-0.0123, "-12.3 ms"),
        (59.0, "59 s"),
        (3600.0, "60 min"),
        (86400.0, "24 h"),
        (1e9, "1.16e+04 days"),
    ],
)
def test_seconds(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_amounts_and_sparklines() -> None:
    assert [amount(value) for value in (None, 0, 0.25, 3, 12345.6)] == [
        "-",
        "0",
        "0.2",
        "3",
        "12,346",
    ]
    assert sparkline([0, 1, 2, 4]) == "▁▂▄█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""
    assert clean("a\tb\x00\u2028") == "a\ufffdb\ufffd\ufffd"


def test_it_prints_one_look_below_the_other_where_there_is_no_terminal(
    tmp_path: Path, busy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with at_socket(tmp_path / "s", json.dumps(look(busy)).encode()) as path:
        assert main(["top", path, "--count", "3", "--interval", "0.1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("timerwheel top") == 2
    assert printed.err == ""


def test_a_page_that_goes_away_is_told_and_asked_again(
    tmp_path: Path, busy: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = look(busy)
    answers = iter([shown, NoAnswerError("no answer from here: it is gone"), shown])

    def look_again(address: str) -> Any:
        found = next(answers)
        if isinstance(found, NoAnswerError):
            raise found
        return found

    monkeypatch.setattr("timerwheel.commands.top.command.ask", look_again)
    assert main(["top", "here", "--count", "3", "--interval", "0.1"]) == 0
    first, second = capsys.readouterr().out.split("timerwheel top")[1:]
    assert "it is gone" in first
    assert "it is gone" not in second


# info --pid


def process_with(folder: Path, path: Path, flags: str = "00010000") -> Path:
    """A process in /proc that has a UNIX socket."""
    (folder / "net").mkdir(parents=True)
    (folder / "fd").mkdir()
    (folder / "fd/7").symlink_to("socket:[4242]")
    (folder / "cwd").symlink_to(path.parent)
    (folder / "net/unix").write_text(
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "0000000000000000: 00000002 00000000 00010000 0001 01 4141 /run/other.timerwheel.sock\n"
        "0000000000000000: 00000003 00000000 00000000 0001 03 4243\n"
        f"0000000000000000: 00000002 00000000 {flags} 0001 01 4242 {path}\n"
    )
    return folder


@pytest.mark.parametrize("relative", [False, True])
def test_info_tells_all_that_a_page_shows(tmp_path: Path, busy: Any, relative: bool) -> None:
    path = tmp_path / "a timerwheel.sock"
    folder = process_with(tmp_path / "77", Path(path.name) if relative else path)
    if relative:
        (folder / "cwd").unlink()
        (folder / "cwd").symlink_to(tmp_path)
    shown = look(busy)
    buckets = [[1.0625, 1000], [3.125, 50], [4.25, 1]]  # of passes of 1, 3 and 4 calls
    shown["stats"]["calls_per_pass"] = {"total": 1154.0, "largest": 4.0, "buckets": buckets}
    with at_socket(path, json.dumps(shown).encode()):
        page = find_page(folder)
    assert page is not None
    assert page.address == str(path)
    lines = [f"{name}: {text}" for name, text in page.lines()]
    assert "  pending: 3" in lines
    assert "  fired: 3" in lines
    assert "  calls per pass: 50 % 1, 99 % 3, 99.9 % 3, largest 4" in lines
    assert any(line.startswith("  by function: 3 due in ") for line in lines)
    assert any(line.startswith("  took: ") for line in lines)
    assert any(line.startswith("  slow: ") for line in lines)


def test_info_does_not_ask_sockets_of_others(tmp_path: Path) -> None:
    """There is nobody at either path: to ask would be an error."""
    assert find_page(process_with(tmp_path / "77", tmp_path / "postgres.sock")) is None
    connected = process_with(tmp_path / "78", tmp_path / "timerwheel.sock", flags="00000000")
    assert find_page(connected) is None
    assert find_page(tmp_path / "missing") is None


def test_info_says_if_a_page_does_not_answer(tmp_path: Path) -> None:
    page = find_page(process_with(tmp_path / "77", tmp_path / "timerwheel.sock"))
    assert page is not None
    assert page.data is None
    ((name, text),) = page.lines()
    assert (name, text[:15]) == ("  page", "no answer from ")
