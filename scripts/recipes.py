"""Put the recipes for clusters into the page that shows them; with --check only say what differs.

    python scripts/recipes.py [--check]

A recipe is a file of ``docs/recipes``, which tests run or load with the software that it is for. It
stands below ``<!-- recipe: NAME -->`` in ``docs/clusters.md``, in a fenced block.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "clusters.md"
FOLDER = DOCS / "recipes"

LANGUAGES = {".py": "python", ".sh": "sh", ".yaml": "yaml"}

BLOCK = re.compile(
    r"^<!-- recipe: (?P<name>[\w.-]+) -->\n```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
MARK = "<!-- recipe:"


def recipes(folder: Path = FOLDER) -> dict[str, str]:
    """Text of each recipe, by its file's name."""
    return {path.name: path.read_text("utf-8") for path in sorted(folder.iterdir())}


def with_recipes(page: str, texts: Mapping[str, str]) -> str:
    """Return a page with the recipes as they are now.

    Raises
    ------
    ValueError
        If the page names a recipe that there is not, shows one nowhere or twice, or has a mark
        without a block below it.
    """
    named = [block["name"] for block in BLOCK.finditer(page)]
    if page.count(MARK) != len(named):
        raise ValueError(f"{page.count(MARK)} marks and {len(named)} blocks: each mark needs one")
    unknown = sorted(set(named) - texts.keys())
    if unknown:
        raise ValueError(f"no recipe {', '.join(unknown)}; there are {', '.join(sorted(texts))}")
    odd = sorted(name for name in texts if named.count(name) != 1)
    if odd:
        raise ValueError(f"{', '.join(odd)}: a recipe is shown once on the page")

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        language = LANGUAGES[Path(name).suffix]
        return f"<!-- recipe: {name} -->\n```{language}\n{texts[name]}```"

    return BLOCK.sub(block, page)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    options = parser.parse_args()
    page = PAGE.read_text("utf-8")
    wanted = with_recipes(page, recipes())
    if wanted == page:
        return 0
    if options.check:
        print(f"{PAGE.name} shows older recipes: python scripts/recipes.py", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
