"""Write what the documentation takes from the code; with --check only say what differs.

    python scripts/reference.py [--check]

`docs/reference/cli.md` and `plan.schema.json` are written whole. In `plan.md` the tables below
`<!-- table: NAME -->` are.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from reference_cli import cli_page
from reference_plan import plan_tables, schema_text

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
TABLE = re.compile(r"^<!-- table: (?P<name>\w+) -->\n+(?:\|[^\n]*\n)*\n*", re.MULTILINE)


def with_tables(page: str, tables: Mapping[str, str]) -> str:
    """Return a page with the tables as they are now.

    Raises
    ------
    ValueError
        If the page has not each table once.
    """
    named = [found["name"] for found in TABLE.finditer(page)]
    if sorted(named) != sorted(tables):
        raise ValueError(f"tables {', '.join(named)}; there are {', '.join(tables)}")
    return TABLE.sub(
        lambda found: f"<!-- table: {found['name']} -->\n\n{tables[found['name']]}", page
    )


def wanted(folder: Path = FOLDER) -> dict[Path, str]:
    """Text of each file that comes from the code."""
    plan = folder / "plan.md"
    return {
        folder / "cli.md": cli_page(),
        folder / "plan.schema.json": schema_text(),
        plan: with_tables(plan.read_text("utf-8"), plan_tables()).rstrip() + "\n",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    options = parser.parse_args()
    texts = wanted()
    old = {path for path in texts if not path.is_file() or path.read_text("utf-8") != texts[path]}
    if options.check:
        for path in sorted(old):
            print(
                f"{path.name} is older than the code: python scripts/reference.py", file=sys.stderr
            )
        return 1 if old else 0
    for path in old:
        path.write_text(texts[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
