"""Binding: the addresses that a server may be bound to, and who can reach it there."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from data.errors import BadSettingsError

_MOST_PORT = 65_535
_BACKLOG = 2_048  # visits that wait to be taken


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches a server bound to an address."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens there; of IPv6's `::`, to IPv4 as well.

    Raises:
        BadSettingsError: none can; says why and what to do.
    """
    address = address.strip("[]")
    if not 1 <= port <= _MOST_PORT:
        raise BadSettingsError(f"a port is from 1 to {_MOST_PORT:,}, not {port}; give another with --port")
    if not address:
        raise BadSettingsError("--address is empty; give 127.0.0.1 for this machine alone, 0.0.0.0 for others, too")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = None
    try:
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or small answers are held back
        if os.name != "nt":  # where it would take a port from whoever has it
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((address, port))
        bound.listen(_BACKLOG)
    except (OSError, UnicodeError) as error:
        if bound is not None:
            bound.close()
        why = {
            errno.EADDRINUSE: f"port {port} is taken; end what listens there, or give another with --port",
            errno.EACCES: f"port {port} is not for everybody; give one from 1024 on with --port",
            errno.EADDRNOTAVAIL: f"{address!r} is no address of this machine; give 0.0.0.0 for all that it has",
        }.get(
            getattr(error, "errno", None) or 0, f"{address!r} is no address of this machine; give 127.0.0.1 or 0.0.0.0"
        )
        raise BadSettingsError(why) from error
    return bound


def own_names(address: str) -> list[str]:
    """The names that this machine answers to where nobody else reaches it."""
    return ["localhost", "127.0.0.1", "[::1]", name_of(address)]


def name_of(address: str) -> str:
    """What others write to reach a server that is bound to an address."""
    try:
        ip = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address or socket.gethostname()
    if ip.is_unspecified:
        return socket.gethostname()
    return f"[{ip}]" if ip.version == 6 else str(ip)
