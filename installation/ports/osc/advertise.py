"""Being found on the network: OSC as `_osc._udp` and OSCQuery as `_oscjson._tcp`, by zeroconf."""

from __future__ import annotations

import socket
from collections.abc import Callable

from installation.network import outward
from installation.venue import Doors
from latentworld import __version__
from latentworld.errors import PortError
from latentworld.extras import need

OSC, QUERY = "_osc._udp.local.", "_oscjson._tcp.local."


def services(osc_port: int | None, deck_port: int | None) -> dict[str, int]:
    """What is to be announced: port by type of service."""
    ports = {OSC: osc_port, QUERY: deck_port}
    return {kind: port for kind, port in ports.items() if port}


def advertise(doors: Doors, osc_port: int | None, deck_port: int | None) -> Callable[[], None]:
    """Tell the network where OSC and OSCQuery (the deck's port) are; returns what ends it. Blocks for about a second.

    Nothing is told unless `doors.advertise`; with the doors shut, this machine alone is told. Raises ShowError when the
    library is missing, PortError when there is no network to tell.
    """
    if not doors.advertise or not services(osc_port, deck_port):
        return lambda: None
    zeroconf = need("zeroconf")
    host = socket.gethostname().partition(".")[0] or "latentworld"
    where = zeroconf.InterfaceChoice.Default if doors.open else ["127.0.0.1"]
    addresses = [outward() if doors.open else "127.0.0.1"]
    try:
        net = zeroconf.Zeroconf(interfaces=where, ip_version=zeroconf.IPVersion.V4Only)
    except OSError as error:
        raise _unannounced(error) from error
    try:
        for kind, port in services(osc_port, deck_port).items():
            name = f"latentworld on {host}.{kind}"
            about = {"version": __version__}
            info = zeroconf.ServiceInfo(kind, name, port, parsed_addresses=addresses, properties=about)
            net.register_service(info, allow_name_change=True)
    except (OSError, zeroconf.Error) as error:
        net.close()
        raise _unannounced(error) from error
    return net.close  # type: ignore[no-any-return]  # takes the services back first


def _unannounced(error: Exception) -> PortError:
    return PortError(f"zeroconf cannot tell the network ({error}): leave doors.advertise out, or mend the network")
