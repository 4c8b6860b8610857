"""Write constraints for pip: ``held_versions.py FILE lowest|tested [NAME==VERSION …]``.

``lowest`` holds each dependency of the package at the lowest version that `pyproject.toml` allows,
and leaves to pip what these need; ``tested`` are those of `constraints.txt`. What is named after it
is held at that version instead. `tox -e lowest` and the environments for other naparis use it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOWEST = re.compile(r"(?P<name>[\w.-]+)(\[[\w,-]+\])?>=(?P<version>[\w.]+)$")
HELD = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[\w.]+)$")
# those whose formats and models the default tests read
EXTRAS = ("cluster", "hdf5", "onnx", "remote")


def versions(lines: Iterable[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Name and version of each line that has both."""
    found = filter(None, map(pattern.match, lines))
    return {match["name"]: match["version"] for match in found}


def lowest_versions() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    return versions(project["dependencies"] + extras, LOWEST)


def tested_versions() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return versions(lines, HELD)


def main(target: Path, which: str, *instead: str) -> None:
    held = {"lowest": lowest_versions, "tested": tested_versions}[which]()
    held |= versions(instead, HELD)
    lines = [f"{name}=={version}\n" for name, version in held.items()]
    target.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
