"""Addresses of schedulers: what is meant by one, and who might listen on the way there."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from napari_tessera.stacks.checks import error_line

LOCAL = "local"
"""In the place of an address: processes of this computer, for the length of the run."""

DEFAULT_PORT = 8786
"""Where a Dask scheduler listens unless it is told otherwise."""

ENCRYPTED = ("tls", "wss")
SCHEMES = ("tcp", "tls", "ws", "wss")

_EXAMPLES = f"use {LOCAL}, tcp://HOST:{DEFAULT_PORT} or tls://HOST:{DEFAULT_PORT}"


@dataclass(frozen=True)
class SchedulerAddress:
    """Where a Dask scheduler listens.

    Parameters
    ----------
    scheme : {"tcp", "tls", "ws", "wss"}
        How it is spoken with.
    host : str
        Name or IP address, an IPv6 one without brackets.
    port : int
        TCP port.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def encrypted(self) -> bool:
        """Whether what goes there cannot be read on the way."""
        return self.scheme in ENCRYPTED


def parse_scheduler(text: str) -> SchedulerAddress:
    """Read the address of a scheduler; without a scheme it is TCP, without a port Dask's own.

    Raises
    ------
    ValueError
        If it is none.
    """
    scheme, mark, place = text.strip().rpartition("://")
    scheme = scheme.lower() if mark else "tcp"
    if scheme not in SCHEMES:
        raise ValueError(f"cluster {text!r}: {scheme}:// is none of Dask's ways; {_EXAMPLES}")
    # it is pasted with a slash behind it often enough
    host, port = _host_and_port(place.rstrip("/"))
    # a number alone is a port that was typed, though systems take it for an address
    if not host or host.isdigit() or any(char.isspace() or char in "/@?#" for char in host):
        raise ValueError(f"cluster {text!r} names no computer; {_EXAMPLES}")
    try:
        # as any look-up does, which fails with another error than for a name that is unknown
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"cluster {text!r} names no computer; {_EXAMPLES}") from None
    if not port:
        return SchedulerAddress(scheme, host, DEFAULT_PORT)
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ValueError(f"cluster {text!r}: port {port!r} is none of 1 to 65535; {_EXAMPLES}")
    return SchedulerAddress(scheme, host, int(port))


def _host_and_port(place: str) -> tuple[str, str]:
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        return host, rest.removeprefix(":")
    if place.count(":") > 1:
        # an IPv6 address without brackets
        return place, ""
    host, _, port = place.partition(":")
    return host, port


def look_up(address: SchedulerAddress) -> tuple[str, ...]:
    """IP addresses of a scheduler's computer, without repetition.

    Raises
    ------
    OSError
        If no such computer is known; in the words of the system.
    """
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def open_to_others(address: SchedulerAddress) -> str | None:
    """What to know of a scheduler that is spoken with in the clear over a public network.

    Parameters
    ----------
    address : SchedulerAddress
        The scheduler.

    Returns
    -------
    str or None
        One line; None where it is encrypted, or on a private or this computer's own address.
    """
    if address.encrypted:
        return None
    try:
        places = look_up(address)
    except OSError:
        # whoever connects says so
        return None
    public = [place for place in places if ipaddress.ip_address(place.split("%")[0]).is_global]
    if not public:
        return None
    named = address.host if address.host == public[0] else f"{address.host} ({public[0]})"
    return (
        f"the scheduler at {address} is not on a private address, and nothing that goes to "
        f"{named} is encrypted: others can read the image's name and the model, and run code on "
        "the workers; use tls://, a VPN or an SSH tunnel"
    )


def check_reachable(address: SchedulerAddress, seconds: float) -> None:
    """Raise OSError in one line unless something listens at an address.

    Parameters
    ----------
    address : SchedulerAddress
        The scheduler.
    seconds : float
        How long to wait for an answer.
    """
    try:
        with socket.create_connection((address.host, address.port), timeout=seconds):
            return
    except socket.gaierror as error:
        raise OSError(
            f"{address}: there is no computer {address.host} ({error.strerror}): check the name"
        ) from error
    except ConnectionRefusedError as error:
        raise OSError(
            f"no scheduler at {address}, nothing listens there: start one there with 'dask "
            f"scheduler --port {address.port}', or check the address"
        ) from error
    except TimeoutError as error:
        raise OSError(
            f"{address} does not answer within {seconds:g} s: check the address, and whether a "
            "firewall is in between"
        ) from error
    except OSError as error:
        raise OSError(
            f"{address} cannot be reached ({error.strerror or error_line(error)}): check the "
            "address and the network"
        ) from error
