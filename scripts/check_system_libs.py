"""Check the system libraries that napari's window needs on Linux, and install them where allowed.

Run by tox before anything that opens a window. Needs nothing but the standard library.

Exit status 0: everything is there (or this is not Linux). 1: something is missing and could not
be installed; the last line on stderr is then the command to type.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

DRIVER_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")
APT_GET = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=120")


class Requirement(NamedTuple):
    """A Debian package and how to see that what it brings is there."""

    package: str
    found: Callable[[], bool]


def loads(soname: str) -> Callable[[], bool]:
    """Whether the dynamic linker finds and loads the shared library `soname`."""

    def found() -> bool:
        try:
            ctypes.CDLL(soname)
        except OSError:
            return False
        return True

    return found


def runs(program: str) -> Callable[[], bool]:
    """Whether `program` is on the path."""
    return lambda: shutil.which(program) is not None


def has_software_renderer() -> bool:
    """Whether Mesa's drivers are installed: libGL alone draws nothing without a graphics card."""
    patterns = ("dri/swrast_dri.so", "*/dri/swrast_dri.so", "libgallium-*.so", "*/libgallium-*.so")
    return any(
        next(Path(folder).glob(pattern), None) is not None
        for folder in DRIVER_FOLDERS
        for pattern in patterns
    )


REQUIREMENTS = (
    Requirement("xvfb", runs("Xvfb")),
    Requirement("libgl1", loads("libGL.so.1")),
    Requirement("libgl1-mesa-dri", has_software_renderer),
    Requirement("libegl1", loads("libEGL.so.1")),
    Requirement("libopengl0", loads("libOpenGL.so.0")),
    Requirement("libxkbcommon-x11-0", loads("libxkbcommon-x11.so.0")),
    Requirement("libxcb-cursor0", loads("libxcb-cursor.so.0")),
    Requirement("libxcb-icccm4", loads("libxcb-icccm.so.4")),
    Requirement("libxcb-keysyms1", loads("libxcb-keysyms.so.1")),
    Requirement("libxcb-shape0", loads("libxcb-shape.so.0")),
    Requirement("libxcb-xinerama0", loads("libxcb-xinerama.so.0")),
    Requirement("libxcb-image0", loads("libxcb-image.so.0")),
    Requirement("libxcb-render-util0", loads("libxcb-render-util.so.0")),
    Requirement("libdbus-1-3", loads("libdbus-1.so.3")),
    # Qt's own libraries link these, and none of the packages above brings them
    Requirement("libglib2.0-0", loads("libgthread-2.0.so.0")),
    Requirement("libfontconfig1", loads("libfontconfig.so.1")),
    Requirement("libgssapi-krb5-2", loads("libgssapi_krb5.so.2")),
)


def missing_packages(requirements: Iterable[Requirement] = REQUIREMENTS) -> list[str]:
    """Names of the Debian packages that are needed and not found."""
    return [requirement.package for requirement in requirements if not requirement.found()]


def apt_commands(packages: Sequence[str], *, sudo: Sequence[str] = ()) -> list[list[str]]:
    """Two commands, each a list of words: refresh the lists, then install `packages`."""
    noninteractive = ["env", "DEBIAN_FRONTEND=noninteractive"]
    return [
        [*sudo, *APT_GET, "update"],
        [*sudo, *noninteractive, *APT_GET, "install", "-y", "--no-install-recommends", *packages],
    ]


def command_to_type(packages: Sequence[str]) -> str:
    """What a person types to install `packages` on Debian or Ubuntu."""
    sudo = "" if is_root() else "sudo "
    return f"{sudo}apt-get update && {sudo}apt-get install -y {' '.join(packages)}"


def is_root() -> bool:
    """Whether this process may install packages by itself."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def passwordless_prefix() -> list[str] | None:
    """Words to put before apt-get: none for root, sudo where it asks nothing, else `None`."""
    if is_root():
        return []
    if shutil.which("sudo") is None:
        return None
    asks_nothing = subprocess.run(
        ["sudo", "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return ["sudo", "-n"] if asks_nothing.returncode == 0 else None


def install(packages: Sequence[str], prefix: Sequence[str]) -> bool:
    """Install `packages` with apt; `True` if both commands succeeded."""
    for command in apt_commands(packages, sudo=prefix):
        print("+", *command, flush=True)
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
            return False
    return True


def main(requirements: Iterable[Requirement] = REQUIREMENTS) -> int:
    """Check `requirements`, install what is missing where allowed; the exit status."""
    if not sys.platform.startswith("linux"):
        return 0
    requirements = tuple(requirements)
    missing = missing_packages(requirements)
    if not missing:
        print(f"system libraries: all {len(requirements)} found")
        return 0
    if shutil.which("apt-get") is None:
        print(
            "system libraries missing; install what your distribution calls these Debian "
            f"packages: {' '.join(missing)}",
            file=sys.stderr,
        )
        return 1
    prefix = passwordless_prefix()
    if prefix is not None:
        print(f"system libraries missing: {' '.join(missing)}", flush=True)
        if install(missing, prefix):
            missing = missing_packages(requirements)
            if not missing:
                print(f"system libraries: all {len(requirements)} found")
                return 0
    print(
        f"system libraries missing: {' '.join(missing)}; type this, then run tox again:\n"
        f"{command_to_type(missing)}",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
