"""Finding a screen for the demo, or making one."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from napari_tessera.widgets.demo_screen import (
    changed_environment,
    claims_a_screen,
    screen,
    virtual_display,
    window_problem,
)

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="X11 screens are Linux's")
needs_xvfb = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="there is no Xvfb here")


@pytest.mark.parametrize(
    ("environment", "platform", "claimed"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"}, "linux", False),
        ({"DISPLAY": ":0", "QT_QPA_PLATFORM": "xcb"}, "linux", True),
        ({"DISPLAY": "localhost:10.0", "CI": "true"}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", True),
        ({"CI": "true"}, "darwin", False),
        ({"CI": "true"}, "win32", False),
        ({"QT_QPA_PLATFORM": "minimal:x"}, "win32", False),
    ],
)
def test_what_a_machine_says(environment: dict[str, str], platform: str, claimed: bool) -> None:
    assert claims_a_screen(environment, platform) is claimed


def test_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_KEPT", "before")
    monkeypatch.setenv("TESSERA_GONE", "before")
    monkeypatch.delenv("TESSERA_NEW", raising=False)
    changes = {"TESSERA_KEPT": "inside", "TESSERA_GONE": None, "TESSERA_NEW": "inside"}
    with changed_environment(changes):
        assert os.environ["TESSERA_KEPT"] == os.environ["TESSERA_NEW"] == "inside"
        assert "TESSERA_GONE" not in os.environ
    assert os.environ["TESSERA_KEPT"] == os.environ["TESSERA_GONE"] == "before"
    assert "TESSERA_NEW" not in os.environ


@on_linux
def test_a_screen_that_is_not_there_is_found_out() -> None:
    """As after an SSH connection with a forwarded screen has ended."""
    stale = {**os.environ, "DISPLAY": "localhost:98.0", "QT_QPA_PLATFORM": "xcb"}
    assert window_problem(stale) == "no window opens on its screen"


@needs_xvfb
def test_a_virtual_display_lasts_as_long_as_its_block() -> None:
    with virtual_display(shutil.which("Xvfb") or "") as display:
        assert display is not None
        number = display.removeprefix(":")
        socket = f"/tmp/.X11-unix/X{number}"
        assert number.isdigit()
        assert Path(socket).exists()
    assert not Path(socket).exists()


@on_linux
def test_a_server_that_does_not_start() -> None:
    with virtual_display(shutil.which("true") or sys.executable) as display:
        assert display is None
    with virtual_display("/nowhere/Xvfb") as display:
        assert display is None


@needs_xvfb
def test_without_a_screen_there_is_a_virtual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with screen() as found:
        assert found.kind == "virtual"
        assert found.can_show
        assert os.environ["DISPLAY"] in found.why
    assert "DISPLAY" not in os.environ


@needs_xvfb
@pytest.mark.parametrize(("ci", "kind"), [("", "real"), ("true", "virtual")])
def test_nobody_looks_at_a_screen_of_continuous_integration(
    monkeypatch: pytest.MonkeyPatch, ci: str, kind: str
) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("CI", ci)
    with virtual_display(shutil.which("Xvfb") or "") as display:
        monkeypatch.setenv("DISPLAY", display or "")
        with screen() as found:
            assert (found.kind, found.why) == (kind, "that of this machine")


def test_without_xvfb_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("PATH", "")
    with screen() as found:
        assert not found.can_show
        assert "Xvfb" in found.why


def test_without_napari_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "napari.py").write_text("raise ModuleNotFoundError('napari is not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    with screen() as found:
        assert not found.can_show
        assert "not installed here (napari is not here)" in found.why
