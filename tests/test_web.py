"""timerwheel.web: the page, the figures beside it, and what they cost the reactor."""

from __future__ import annotations

import json
import math
import re
import time
from importlib.resources import files
from typing import Any

import pytest
from helpers import FakeClock, StockReactor
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.web.resource import Resource, getChildForRequest
from twisted.web.server import NOT_DONE_YET
from twisted.web.test.requesthelper import DummyRequest

import timerwheel
from timerwheel.web import TimersPage, resource, surveyor

STATIC = files("timerwheel.web") / "static"
FILES = ("", "page.css", "page.js", "charts.js", "uPlot.css", "uPlot.js")


class Request(DummyRequest):
    """A request that runs in the process, without a network."""

    def __init__(self, path: str, method: str = "GET", **headers: str) -> None:
        super().__init__([part.encode() for part in path.split("/")])
        self.method = method.encode()
        self.prepath = []
        for name, value in headers.items():
            self.requestHeaders.setRawHeaders(name.replace("_", "-"), [value])

    def setETag(self, tag: bytes) -> object:
        self.setHeader(b"etag", tag)
        matches = self.requestHeaders.getRawHeaders("if-none-match", [])
        return tag.decode() in matches or None

    def redirect(self, url: bytes) -> None:
        self.setResponseCode(302)
        self.setHeader(b"location", url)

    def header(self, name: str) -> str | None:
        values = self.responseHeaders.getRawHeaders(name)
        return values[0] if values else None


def ask(root: Any, path: str, method: str = "GET", **headers: str) -> tuple[Request, bytes]:
    """A request, and what it was answered."""
    request = Request(path, method, **headers)
    request.site = root
    body = getChildForRequest(root, request).render(request)
    if body == NOT_DONE_YET:  # how Twisted's own error pages answer
        assert request.finished
        body = b"".join(request.written)
    return request, body


def figures(root: Any, reactor: Any, clock: FakeClock) -> Any:
    """data.json after its survey is done."""
    ask(root, "data.json")
    for _ in range(100_000):
        clock.advance(surveyor.PAUSE)
        reactor.runUntilCurrent()
        data = json.loads(ask(root, "data.json")[1])
        if data["survey"] is not None:
            return data
    raise AssertionError("the survey does not end")


@pytest.fixture
def page(reactor: Any) -> TimersPage:
    return TimersPage(reactor)


# The page


@pytest.mark.parametrize("path", FILES)
def test_each_file_is_there(page: TimersPage, path: str) -> None:
    request, body = ask(page, path)
    assert request.responseCode in (None, 200)
    assert len(body) > 500
    assert "charset=utf-8" in str(request.header("content-type"))


def test_the_page_asks_for_nothing_that_is_not_there(page: TimersPage) -> None:
    html = (STATIC / "page.html").read_text()
    named = set(re.findall(r'(?:src|href)="([^"]*)"', html)) - {"data:,"}
    assert named <= {*FILES, "data.json"}
    assert set(FILES) <= {"", *named}


@pytest.mark.parametrize("name", ["page.html", "page.css", "page.js", "charts.js", "uPlot.min.css"])
def test_nothing_is_fetched_from_elsewhere(name: str) -> None:
    text = (STATIC / name).read_text()
    assert re.findall(r"https?:|url\(|//\w+\.|@import", text) == []


@pytest.mark.parametrize("name", ["page.js", "charts.js"])
def test_text_goes_in_as_text(name: str) -> None:
    text = (STATIC / name).read_text()
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text) == []


def test_nothing_is_inline() -> None:
    html = (STATIC / "page.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", html) == []


@pytest.mark.parametrize("path", [*FILES, "data.json"])
def test_each_answer_forbids_what_the_page_does_not_need(page: TimersPage, path: str) -> None:
    request, _ = ask(page, path)
    policy = str(request.header("content-security-policy"))
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert request.header("x-content-type-options") == "nosniff"
    assert request.header("access-control-allow-origin") is None


@pytest.mark.parametrize("path", [*FILES, "data.json"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_reading_is_allowed(page: TimersPage, path: str, method: str) -> None:
    from twisted.web.error import UnsupportedMethod

    with pytest.raises(UnsupportedMethod) as refused:  # twisted.web.server makes a 405 of it
        ask(page, path, method)
    assert set(refused.value.allowedMethods) == {b"GET", b"HEAD"}


@pytest.mark.parametrize("path", [*FILES, "data.json"])
def test_head_is_allowed(page: TimersPage, path: str) -> None:
    request, _ = ask(page, path, "HEAD")
    assert request.responseCode in (None, 200)


def test_a_file_that_a_browser_has_is_not_sent_again(page: TimersPage) -> None:
    request, body = ask(page, "page.js")
    tag = str(request.header("etag"))
    assert ask(page, "page.js", if_none_match=tag)[1] == b""
    assert ask(page, "page.js", if_none_match='"other"')[1] == body


def test_without_the_slash_it_leads_to_the_slash(page: TimersPage) -> None:
    root = Resource()
    root.putChild(b"a b:c", page)
    request = Request("a b:c")
    request.postpath, request.prepath = [b"a b:c"], []
    getChildForRequest(root, request).render(request)
    assert (request.responseCode, request.header("location")) == (302, "./a%20b%3Ac/")


# The figures


def test_the_figures_are_those_of_stats_and_status(
    page: TimersPage, reactor: Any, clock: FakeClock
) -> None:
    for delay in (1, 1, 10):
        reactor.callLater(delay, int)
    clock.advance(1.5)
    reactor.runUntilCurrent()
    request, body = ask(page, "data.json")
    assert request.header("cache-control") == "no-store"
    assert request.header("content-type") == "application/json"
    data, now = json.loads(body), timerwheel.stats(reactor)
    assert data["stats"]["fired"] == now.fired == 2
    assert data["stats"]["until_deadline"] == 8.5
    assert data["stats"]["lateness"]["total"] == now.lateness.total == 1.0
    assert sum(count for _, count in data["stats"]["lateness"]["buckets"]) == 2
    assert data["status"]["reactor"] == "helpers.StockReactor"
    assert data["status"]["versions"]["timerwheel"] == timerwheel.__version__
    assert data["watch"] is None


def test_what_is_pending_comes_a_little_later(
    page: TimersPage, reactor: Any, clock: FakeClock
) -> None:
    with timerwheel.watch(reactor, origins=True):
        for _ in range(30):
            reactor.callLater(1000, int)
        reactor.callLater(float("inf"), str)
        assert json.loads(ask(page, "data.json")[1])["survey"] is None
        survey = figures(page, reactor, clock)["survey"]
    assert survey["every"] == 1
    by_function = {group["name"]: group["count"] for group in survey["by"]["function"]}
    assert (by_function["int"], by_function["str"]) == (30, 1)
    names = [group["name"] for group in survey["by"]["time"]]
    assert set(names) >= {"10 min to 1 h", "1 day and more"}
    assert names.index("10 min to 1 h") < names.index("1 day and more") == len(names) - 1
    assert any(__file__ in group["name"] for group in survey["by"]["origin"])
    (endless,) = [group for group in survey["by"]["function"] if group["name"] == "str"]
    assert endless["latest"] is None


def test_slow_calls_are_shown_without_their_arguments(
    page: TimersPage, reactor: Any, clock: FakeClock
) -> None:
    with timerwheel.watch(reactor, slow=0, on_slow=lambda slow: None):
        reactor.callLater(0, len, "a secret")
        reactor.runUntilCurrent()
        data = figures(page, reactor, clock)
    assert data["watch"]["slow_calls"] > 0
    assert data["watch"]["latest_slow"][-1]["function"] == "len"
    assert data["survey"]["times"][0]["count"] > 0
    assert "secret" not in json.dumps(data)


def test_names_are_passed_on_and_what_does_not_print_is_escaped(
    page: TimersPage, reactor: Any, clock: FakeClock
) -> None:
    def evil() -> None:
        """Has a name that is no name."""

    evil.__qualname__ = "</script><script>alert('\u2028')"
    reactor.callLater(1000, evil)
    names = [group["name"] for group in figures(page, reactor, clock)["survey"]["by"]["function"]]
    assert any("</script><script>alert('\\u2028')" in name for name in names)


def test_only_the_largest_groups_are_sent(page: TimersPage, reactor: Any, clock: FakeClock) -> None:
    for number in range(50):
        reactor.callLater(1000, type(f"Kind{number}", (), {}))
    survey = figures(page, reactor, clock)["survey"]
    assert len(survey["by"]["function"]) == surveyor.MOST
    assert survey["groups"]["function"] >= 50


# What it costs


def test_all_who_ask_at_once_get_the_same(page: TimersPage, reactor: Any, clock: FakeClock) -> None:
    first = ask(page, "data.json")[1]
    reactor.callLater(1, int)
    clock.advance(resource.FRESH / 2)
    assert ask(page, "data.json")[1] is first
    clock.advance(resource.FRESH)
    assert json.loads(ask(page, "data.json")[1])["stats"]["scheduled"] >= 1


def test_a_clock_that_steps_back_does_not_keep_old_figures(
    page: TimersPage, reactor: Any, clock: FakeClock
) -> None:
    first = ask(page, "data.json")[1]
    clock.advance(-3600)
    assert ask(page, "data.json")[1] is not first


def test_while_nobody_asks_nothing_is_done(page: TimersPage, reactor: Any) -> None:
    assert reactor.getDelayedCalls() == []


def test_one_survey_runs_at_a_time(page: TimersPage, reactor: Any, clock: FakeClock) -> None:
    for _ in range(20_000):
        reactor.callLater(1000, int)
    for _ in range(5):
        ask(page, "data.json")
        clock.advance(resource.FRESH)
        reactor.runUntilCurrent()
    assert len(reactor.getDelayedCalls()) <= 20_001


def test_a_survey_of_many_calls_is_made_in_slices(
    page: TimersPage, reactor: Any, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no time at all for a slice, each does one step."""
    monkeypatch.setattr(surveyor, "SLICE", 0.0)
    for _ in range(20_000):
        reactor.callLater(1000, int)
    ask(page, "data.json")
    slices = 0
    while len(reactor.getDelayedCalls()) > 20_000:
        clock.advance(surveyor.PAUSE)
        reactor.runUntilCurrent()
        slices += 1
    assert slices > 20_000 / 256


# Bad input


def test_a_reactor_without_a_wheel_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match=r"has no wheel.*timerwheel\.accelerate\(reactor\)"):
        TimersPage(StockReactor())


def test_after_restore_the_figures_say_so(
    page: TimersPage, reactor: Any, clock: FakeClock, logged: list[Any]
) -> None:
    reactor.callLater(1000, int)
    ask(page, "data.json")
    timerwheel.restore(reactor)
    clock.advance(1)
    reactor.runUntilCurrent()
    data = json.loads(ask(page, "data.json")[1])
    assert (data["status"]["accelerated"], data["stats"]) == (False, None)
    assert [event for event in logged if "log_failure" in event] == []
    timerwheel.accelerate(reactor)


def test_a_path_that_is_not_there_is_not_found(page: TimersPage) -> None:
    request, body = ask(page, "static/<page>.html")
    assert request.responseCode == 404
    assert b"<page>" not in body


def test_the_licence_of_the_charts_is_beside_them() -> None:
    assert "MIT License" in (STATIC / "uPlot.LICENSE").read_text()
    assert "Leon Sorokin" in (STATIC / "uPlot.LICENSE").read_text()


def test_a_call_that_is_infinitely_late_is_shown(
    page: TimersPage, reactor: Any, clock: FakeClock
) -> None:
    watch = timerwheel.watch(reactor, slow=0)
    reactor.callLater(5, time.perf_counter).delay(-math.inf)
    reactor.runUntilCurrent()
    data = figures(page, reactor, clock)
    watch.stop()
    assert data["stats"]["lateness"]["total"] is None
    assert data["stats"]["lateness"]["largest"] is None
    assert None in [call["late"] for call in data["watch"]["latest_slow"]]


# Who may ask


def ask_at(page: TimersPage, address: Any, host: str | None) -> int | None:
    """The status of an answer to who has found an address under the name of a host."""
    request = Request("data.json", **({} if host is None else {"host": host}))
    request.getHost = lambda: address
    getChildForRequest(page, request).render(request)
    return request.responseCode


LOOPBACK = [
    IPv4Address("TCP", "127.0.0.1", 80),
    IPv4Address("TCP", "127.8.0.1", 80),
    IPv6Address("TCP", "::1", 80),
    IPv6Address("TCP", "::ffff:127.0.0.1", 80),
    UNIXAddress("timerwheel.sock"),
]


@pytest.mark.parametrize("address", LOOPBACK)
@pytest.mark.parametrize(
    "host", [None, "localhost", "LocalHost:8080", "127.0.0.1", "192.168.0.7:80", "[::1]:8080"]
)
def test_a_page_of_this_machine_answers_to_its_addresses(
    page: TimersPage, address: Any, host: str | None
) -> None:
    assert ask_at(page, address, host) in (None, 200)


@pytest.mark.parametrize("address", LOOPBACK)
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example"),
        *("", "[", "[::1", "[evil.example]:80", "user@evil.example", "\xff"),
    ],
)
def test_a_name_that_leads_to_this_machine_is_refused(
    page: TimersPage, address: Any, host: str
) -> None:
    """A page of that name, in a browser here, could read all (DNS rebinding)."""
    assert ask_at(page, address, host) == 403


@pytest.mark.parametrize("path", [*FILES, "data.json", "nothing"])
def test_who_is_refused_learns_nothing(page: TimersPage, path: str) -> None:
    request = Request(path, host="evil.example")
    request.getHost = lambda: LOOPBACK[0]
    body = getChildForRequest(page, request).render(request)
    if body == NOT_DONE_YET:
        body = b"".join(request.written)
    assert request.responseCode == 403
    assert b"hosts=" in body


@pytest.mark.parametrize("host", ["timers.example", "Timers.Example:8080"])
def test_a_program_names_the_hosts_under_which_its_page_is_found(reactor: Any, host: str) -> None:
    page = TimersPage(reactor, hosts=["timers.example"])
    assert ask_at(page, LOOPBACK[0], host) in (None, 200)
    assert ask_at(page, LOOPBACK[0], "evil.example") == 403


def test_a_page_at_an_address_of_the_network_answers_to_each_name(page: TimersPage) -> None:
    assert ask_at(page, IPv4Address("TCP", "10.0.0.7", 80), "timers.example") in (None, 200)


def test_a_page_with_names_refuses_others_at_an_address_of_the_network(reactor: Any) -> None:
    network = IPv4Address("TCP", "10.0.0.7", 80)
    page = TimersPage(reactor, hosts=["timers.example"])
    assert ask_at(page, network, "timers.example") in (None, 200)
    assert ask_at(page, network, "10.0.0.7") in (None, 200)
    assert ask_at(page, network, "evil.example") == 403


def test_one_name_is_no_list_of_names(reactor: Any) -> None:
    with pytest.raises(TypeError, match=r"hosts must be several names, not 'timers\.example'"):
        TimersPage(reactor, hosts="timers.example")
