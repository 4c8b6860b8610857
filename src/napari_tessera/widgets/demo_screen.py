"""A screen for the demo's window: the machine's own, a virtual one, or none."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

PROBE = """
import sys
try:
    import napari
    from qtpy.QtGui import QOpenGLContext
    from qtpy.QtWidgets import QApplication
except ImportError as error:
    sys.exit(f"napari with Qt is not installed here ({error})")
application = QApplication(sys.argv[:1])
if not (application.primaryScreen() and QOpenGLContext().create()):
    sys.exit("there is no OpenGL")
"""
"""Ends with 0 where a napari window would open; Qt aborts a process that cannot reach its screen,
so that nothing less than another process can find out."""

PROBE_SECONDS = 120.0
XVFB_SECONDS = 20.0
VIRTUAL_SIZE = (1400, 900)
WINDOWLESS_PLATFORMS = ("offscreen", "minimal", "vnc", "linuxfb")


@dataclass(frozen=True)
class Screen:
    """Where a window can be opened.

    Parameters
    ----------
    kind : {"real", "virtual", "none"}
        Whether someone looks at it. The screens of continuous integration are virtual.
    why : str
        For ``"none"``, why there is none; else what it is.
    """

    kind: str
    why: str

    @property
    def can_show(self) -> bool:
        """Whether a window can be opened at all."""
        return self.kind != "none"


def claims_a_screen(environment: Mapping[str, str], platform: str) -> bool:
    """Whether the machine says that it has a screen that someone looks at.

    Parameters
    ----------
    environment : mapping
        Environment variables.
    platform : str
        `sys.platform`.
    """
    if environment.get("QT_QPA_PLATFORM", "").partition(":")[0] in WINDOWLESS_PLATFORMS:
        return False
    if platform.startswith(("win", "darwin", "cygwin")):
        # machines of continuous integration have one that nobody looks at, often without OpenGL
        return not environment.get("CI")
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def window_problem(environment: Mapping[str, str]) -> str:
    """Why no napari window opens, tried in another process; empty where one does."""
    try:
        probe = subprocess.run(
            [sys.executable, "-c", PROBE],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PROBE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"a window could not be tried ({error})"
    if probe.returncode == 0:
        return ""
    said = probe.stderr.strip().splitlines()
    return said[-1] if probe.returncode == 1 and said else "no window opens on its screen"


@contextmanager
def screen() -> Iterator[Screen]:
    """Find a screen, or make a virtual one for as long as the ``with`` block lasts.

    Must be entered before anything imports Qt: the environment is set for it.

    Yields
    ------
    Screen
        What was found.
    """
    missing = "this machine has no screen"
    if claims_a_screen(os.environ, sys.platform):
        missing = window_problem(os.environ)
        if not missing:
            yield Screen("virtual" if os.environ.get("CI") else "real", "that of this machine")
            return
    program = shutil.which("Xvfb") if sys.platform.startswith("linux") else None
    if program is None:
        yield Screen("none", f"none: {missing}, and there is no Xvfb for a virtual one")
        return
    with virtual_display(program) as display:
        if display is None:
            yield Screen("none", f"none: {missing}, and Xvfb did not start")
            return
        changes = {
            "DISPLAY": display,
            "WAYLAND_DISPLAY": None,
            "XAUTHORITY": None,
            "QT_QPA_PLATFORM": "xcb",
            "LIBGL_ALWAYS_SOFTWARE": "1",
            # the settings of whoever runs it are neither needed nor changed
            "NAPARI_CONFIG": "",
        }
        with changed_environment(changes):
            if problem := window_problem(os.environ):
                yield Screen("none", f"none: {missing}, and in a virtual one {problem}")
            else:
                width, height = VIRTUAL_SIZE
                yield Screen(
                    "virtual", f"a virtual one of {width}×{height} px, {display}: {missing}"
                )


@contextmanager
def virtual_display(program: str) -> Iterator[str | None]:
    """Start Xvfb on a free display, and end it afterwards.

    Parameters
    ----------
    program : str
        Path of Xvfb.

    Yields
    ------
    str or None
        The display, ``":N"``; None where Xvfb did not start.
    """
    width, height = VIRTUAL_SIZE
    read_end, write_end = os.pipe()
    # Xvfb says its display through this pipe when it is ready, so that nobody has to guess either
    command = [program, "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24"]
    command += ["-nolisten", "tcp", "-noreset", "+extension", "GLX"]
    server = None
    try:
        try:
            server = subprocess.Popen(
                command,
                pass_fds=(write_end,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Ctrl+C is for the demo, which then ends the server
                start_new_session=True,
            )
        except OSError:
            yield None
            return
        finally:
            os.close(write_end)
        number = _first_line(read_end)
        yield f":{number}" if number.isdigit() else None
    finally:
        os.close(read_end)
        if server is not None:
            server.terminate()
            server.wait()


def _first_line(descriptor: int) -> str:
    """What comes through a pipe up to a line's end; empty where nothing comes in time."""
    text = b""
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], XVFB_SECONDS)
        more = os.read(descriptor, 64) if ready else b""
        if not more:
            return ""
        text += more
    return text.decode().strip()


@contextmanager
def changed_environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables (None: remove) for as long as the ``with`` block lasts."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
