"""Where this machine is on the network, and who of the others is let in."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from latentworld.errors import PortError

HERE = "127.0.0.0/8"
SENDERS = 1024  # whose admission is remembered
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Gate:
    """Who is let in: addresses and networks (of the venue's `key`). Raises PortError for what is neither."""

    def __init__(self, networks: Iterable[str], key: str = "doors.allow") -> None:
        self._networks = [_network(text, key) for text in networks]
        self._known: dict[str, bool] = {}

    def lets(self, host: str) -> bool:
        """Whether an address is; what is none, is not."""
        if host not in self._known:
            if len(self._known) >= SENDERS:
                self._known.clear()
            self._known[host] = any(_lies(host, network) for network in self._networks)
        return self._known[host]


def outward() -> str:
    """This machine's address as the network has it; a UDP socket that is connected sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): nobody is there
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _lies(host: str, network: Network) -> bool:
    try:
        return ipaddress.ip_address(host) in network
    except ValueError:
        return False


def _network(text: str, key: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise PortError(f"{key}: {text!r:.60} is no address or network: write 192.168.1.20 or 192.168.1.0/24") from None
