"""Whether a request names this machine by one of the machine's own names.

A hostile site can point its own name at 127.0.0.1. A browser here then lets the site's scripts read
the answers: DNS rebinding. But the browser sends the name that it used.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from twisted.internet.address import UNIXAddress
from twisted.web.server import Request


class Hosts:
    """The names to which a page answers, besides localhost and all IP addresses.

    Without names, a page at an address of the network answers to every name.

    Raises TypeError if they are one string.
    """

    def __init__(self, names: Iterable[str]) -> None:
        if isinstance(names, str):
            raise TypeError(f"hosts must be several names, not {names!r}")
        names = {name.lower() for name in names}
        self._anywhere = bool(names)
        self._names = {"localhost", *names}

    def may_ask(self, request: Request) -> bool:
        """Whether to answer. This only has to stop browsers, which always name the host."""
        host = request.getHeader("host")
        if host is None or not (self._anywhere or _is_local(request.getHost())):
            return True
        name = _name_of(host)
        return name in self._names or _is_ip(name)


def _is_local(address: object) -> bool:
    """Whether a connection comes from this machine, or through a tunnel or proxy on it."""
    if isinstance(address, UNIXAddress):
        return True
    host = getattr(address, "host", "")
    if not _is_ip(host):
        return False
    ip = ip_address(host)
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def _name_of(host: str) -> str:
    """The name in a Host header, in lower case; empty if there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # a bracket that does not close
        return ""


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
