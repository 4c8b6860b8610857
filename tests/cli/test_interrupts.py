"""Signals: what the first does, what the second does, and that nothing is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from napari_tessera.cli.interrupts import Interrupted, Interrupts

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("signum", SIGNALS)
def test_before_the_guard_it_raises(signum: signal.Signals) -> None:
    with Interrupts(lambda: b"") as interrupts, pytest.raises(Interrupted) as caught:
        signal.raise_signal(signum)
    assert caught.value.signum == signum
    assert interrupts.cancel.is_set()
    assert interrupts.exit_status == 128 + signum


@pytest.mark.parametrize("signum", SIGNALS)
def test_behind_the_guard_it_cancels_and_says_so(
    signum: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    with Interrupts(lambda: b"stopping\n") as interrupts:
        interrupts.guard()
        assert not interrupts.cancel.is_set()
        signal.raise_signal(signum)
        assert interrupts.cancel.is_set()
        # a second SIGTERM, as process managers send them, changes nothing
        signal.raise_signal(signal.SIGTERM)
    assert interrupts.exit_status == 128 + signum
    assert capfd.readouterr().err == "stopping\n"


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(signum) for signum in SIGNALS]
    with Interrupts(lambda: b""):
        assert [signal.getsignal(signum) for signum in SIGNALS] != before
    assert [signal.getsignal(signum) for signum in SIGNALS] == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals raised in one's own process end it")
def test_a_second_interrupt_ends_the_process_at_once() -> None:
    code = (
        "import signal\n"
        "from napari_tessera.cli.interrupts import Interrupts\n"
        "with Interrupts(lambda: b'stopping') as interrupts:\n"
        "    interrupts.guard()\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('still here', flush=True)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('never here', flush=True)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 130
    assert ended.stdout == "still here\n"
    assert ended.stderr == "stopping"
