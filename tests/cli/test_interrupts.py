"""Signals: what the first does, what the second does, and that nothing is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_tessera.cli.interrupts import Interrupted, Interrupts

pytestmark = pytest.mark.slow

SIGNALS = [signal.SIGINT, signal.SIGTERM]
posix = pytest.mark.skipif(
    sys.platform == "win32", reason="signals raised in one's own process end it"
)


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


def test_a_signal_lost_in_a_callback_is_not_forgotten() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        assert interrupts.came_early
        with pytest.raises(Interrupted):
            interrupts.guard()
    with Interrupts(lambda: b"") as interrupts:
        interrupts.guard()
        signal.raise_signal(signal.SIGTERM)
        assert not interrupts.came_early


def test_work_does_not_begin_where_the_process_heard_a_signal() -> None:
    with Interrupts() as process:
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted), Interrupts():
            raise AssertionError
        assert process.exit_status == 143


def test_a_signal_waits_for_the_end_of_what_would_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "compiled.py").write_text(
        f"import signal\nsignal.raise_signal({int(signal.SIGTERM)})\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with Interrupts() as interrupts:
        with pytest.raises(Interrupted):
            interrupts.load("compiled")
        assert sys.modules.pop("compiled").whole
        assert interrupts.exit_status == 143


def test_the_process_hears_nothing_more_after_its_work() -> None:
    with Interrupts() as process:
        with Interrupts(lambda: b"") as work:
            work.guard()
        for signum in SIGNALS:
            signal.raise_signal(signum)
        assert process.signum is None
        assert not work.cancel.is_set()


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(signum) for signum in SIGNALS]
    with Interrupts(lambda: b""):
        assert [signal.getsignal(signum) for signum in SIGNALS] != before
    assert [signal.getsignal(signum) for signum in SIGNALS] == before


def main_after(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, after some code."""
    whole = f"import atexit, os, signal, sys\n{code}\nfrom napari_tessera.cli import main\nmain()\n"
    return subprocess.run(
        [sys.executable, "-c", whole, *words], capture_output=True, text=True, check=False
    )


@posix
@pytest.mark.parametrize("signum", SIGNALS)
@pytest.mark.parametrize("module", ["typer", "rich", "numpy", "zarr", "torch"])
def test_a_signal_while_things_are_loaded_is_one_line(
    tmp_path: Path, signum: signal.Signals, module: str
) -> None:
    """The signal comes when the module is looked for, whatever imports it."""
    source = tmp_path / "in.tif"
    tifffile.imwrite(source, np.ones((64, 64), np.uint8))
    code = (
        "class Hook:\n"
        "    def find_spec(self, name, *others):\n"
        f"        if name == {module!r}: signal.raise_signal({int(signum)})\n"
        "sys.meta_path.insert(0, Hook())"
    )
    target = tmp_path / "out.ome.zarr"
    ended = main_after(code, "predict", str(source), str(target), "-m", "builtin:denoise2d")
    assert ended.returncode == 128 + signum
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("napari-tessera: interrupted")
    assert ended.stdout == ""
    assert not target.exists()


@posix
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_in_a_callback_is_not_lost_and_one_line(
    tmp_path: Path, signum: signal.Signals
) -> None:
    """What a callback of a weak reference raises is printed by Python, and forgotten."""
    source = tmp_path / "in.tif"
    tifffile.imwrite(source, np.ones((64, 64), np.uint8))
    code = (
        "import weakref\n"
        "class Thing: pass\n"
        "class Hook:\n"
        "    def find_spec(self, name, *others):\n"
        "        if name == 'typer':\n"
        "            thing = Thing()\n"
        f"            self.ref = weakref.ref(thing, lambda _: signal.raise_signal({int(signum)}))\n"
        "sys.meta_path.insert(0, Hook())"
    )
    target = tmp_path / "out.ome.zarr"
    ended = main_after(code, "predict", str(source), str(target), "-m", "builtin:denoise2d")
    assert ended.returncode == 128 + signum
    assert ended.stderr == "napari-tessera: interrupted: nothing was done\n"
    assert not target.exists()


@posix
@pytest.mark.parametrize("signum", SIGNALS)
@pytest.mark.parametrize(
    "late",
    [
        "atexit.register(signal.raise_signal, {signum})",
        "class Last:\n"
        "    def __del__(self, kill=os.kill, me=os.getpid()): kill(me, {signum})\n"
        "sys.last_of_all = Last()",
    ],
    ids=["atexit", "finalizing"],
)
@pytest.mark.parametrize(("words", "status"), [(["--version"], 0), (["nonsense"], 2)])
def test_a_signal_while_the_interpreter_ends_changes_nothing(
    signum: signal.Signals, late: str, words: list[str], status: int
) -> None:
    ended = main_after(late.format(signum=int(signum)), *words)
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr


@posix
def test_a_second_interrupt_ends_the_process_at_once() -> None:
    code = (
        "import signal\n"
        "from napari_tessera.cli.interrupts import Interrupts\n"
        "with Interrupts(lambda: b'stopping') as interrupts:\n"
        "    interrupts.guard(lambda: b', at once')\n"
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
    assert ended.stderr == "stopping, at once"


@posix
@pytest.mark.parametrize("name", ["out.ome.zarr", "out.npy"])
def test_what_is_left_is_said_where_a_run_is_ended_at_once(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "a.npy", np.ones((64, 64), np.float32))
    code = (
        "import signal\n"
        "from napari_tessera import prediction\n"
        "from napari_tessera.cli import main\n"
        "def predict(*words, **settings):\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "prediction.predict_to_disk = predict\n"
        "main()\n"
    )
    words = ("predict", tmp_path / "a.npy", tmp_path / name, "-m", "builtin:denoise2d")
    ended = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 130
    told = ended.stderr.splitlines()[-1]
    assert told.startswith("napari-tessera: ended at once: ")
    assert str(tmp_path / name) in told
    assert ("--resume goes on" in told) is name.endswith(".zarr")
