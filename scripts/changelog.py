"""Print what the changelog says of a release: `python scripts/changelog.py v0.1.0`.

Ends with 1 where it says nothing, so that no release goes out without.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def section(changelog: str, version: str) -> str:
    """Text below the heading of a version; empty where there is none."""
    heading = rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## |^\[[^\]]+\]:|\Z)"
    found = re.search(heading, changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


if __name__ == "__main__":
    wanted = sys.argv[1].removeprefix("v")
    text = section(CHANGELOG.read_text(encoding="utf-8"), wanted)
    if not text:
        sys.exit(f"{CHANGELOG.name} has no section [{wanted}], or an empty one")
    print(text)
