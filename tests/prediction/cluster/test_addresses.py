"""What people write behind --cluster."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.prediction.cluster.addresses import (
    SchedulerAddress,
    check_reachable,
    open_to_others,
    parse_scheduler,
)

hosts = st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z]{2,5})?", fullmatch=True)


@given(st.sampled_from(["tcp", "tls", "ws", "wss"]), hosts, st.integers(1, 65535))
def test_an_address_is_read_as_it_is_written(scheme: str, host: str, port: int) -> None:
    address = SchedulerAddress(scheme, host, port)
    assert parse_scheduler(str(address)) == address
    assert parse_scheduler(f"  {address}/\n") == address


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("node7", "tcp://node7:8786"),
        ("node7:99", "tcp://node7:99"),
        ("TLS://node7", "tls://node7:8786"),
        ("tcp://[::1]:99", "tcp://[::1]:99"),
        ("[fe80::1]", "tcp://[fe80::1]:8786"),
        ("tcp://fe80::1", "tcp://[fe80::1]:8786"),
    ],
)
def test_what_is_left_out_is_dasks_own(text: str, read: str) -> None:
    assert str(parse_scheduler(text)) == read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tpc://node7:8786", "tpc:// is none"),
        ("", "names no computer"),
        ("tcp:///", "names no computer"),
        ("tcp://my node:8786", "names no computer"),
        ("tcp://node7/path", "names no computer"),
        ("8786", "names no computer"),
        ("node7..lab", "names no computer"),
        (f"tcp://{'x' * 64}:8786", "names no computer"),
        ("tcp://node7:http", "port 'http'"),
        ("tcp://node7:0", "port '0'"),
        ("tcp://node7:65536", "port '65536'"),
        ("lcoal://", "lcoal:// is none"),
    ],
)
def test_typos_are_named_with_what_would_do(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as told:
        parse_scheduler(text)
    assert "use local, tcp://HOST:8786" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "warns"),
    [
        ("tcp://127.0.0.1:8786", False),
        ("tcp://10.1.2.3:8786", False),
        ("tcp://192.168.1.5", False),
        ("tcp://100.64.0.9", False),
        ("tcp://[::1]:8786", False),
        ("tcp://[fd00::7]:8786", False),
        ("tcp://8.8.8.8:8786", True),
        ("ws://8.8.8.8:8786", True),
        ("tcp://[2001:4860:4860::8888]", True),
        ("tls://8.8.8.8:8786", False),
        ("wss://8.8.8.8:8786", False),
        ("tcp://no.such.computer.invalid", False),
    ],
)
def test_only_what_others_can_read_is_warned_of(text: str, warns: bool) -> None:
    line = open_to_others(parse_scheduler(text))
    assert (line is not None) == warns
    assert line is None or ("tls://" in line and "\n" not in line)


def test_nothing_listens_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(OSError, match=f"nothing listens there.*dask scheduler --port {port}"):
            check_reachable(SchedulerAddress("tcp", "127.0.0.1", port), 5)


def test_no_such_computer() -> None:
    with pytest.raises(OSError, match=r"there is no computer no\.such\.computer\.invalid"):
        check_reachable(SchedulerAddress("tcp", "no.such.computer.invalid", 8786), 5)
