"""Check every link of the built site, and of the pages as they lie in the checkout, offline.

    python scripts/check_links.py [SITE]

SITE is what `mkdocs build` wrote: links, anchors, pictures, styles and scripts of its pages must be
there, and nothing may be loaded from elsewhere. Of README.md, CONTRIBUTING.md and all that Markdown
below docs/ relative links must lead to files, and to headings of these, as GitHub calls them.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
SOURCES = ("*.md", ".napari-hub/*.md", ".github/*.md", "docs/**/*.md")
LOADED = {"img": "src", "script": "src", "source": "src", "iframe": "src", "video": "src"}

FENCED = re.compile(r"^[ \t]*(`{3,}).*?^[ \t]*\1", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)>\s]+)>?[^)]*\)")
CODE = re.compile(r"`[^`\n]+`")
NAMED = re.compile(r"""<[^>]* (?:id|name)=["']([^"']+)["']""")
DESCRIBED = re.compile(r"^::: (\S+)$", re.MULTILINE)
SHOWN = re.compile(r"""<(?:img|source)[^>]* (?:src|srcset)=["']([^"' ]+)""")


class Page(HTMLParser):
    """Anchors of a page, what it links to, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and "href" in found and found.get("rel") != "canonical":
            self.loads.append(found["href"])
        elif tag in LOADED and LOADED[tag] in found:
            self.loads.append(found[LOADED[tag]])


@cache
def page_of(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text("utf-8"))
    return page


def site_faults(site: Path) -> Iterator[str]:
    """What is wrong in a built site: one line each."""
    for path in sorted(site.rglob("*.html")):
        page, name = page_of(path), path.relative_to(site)
        for target in page.loads:
            if urlsplit(target).scheme in ("http", "https") or target.startswith("//"):
                yield f"{name}: {target} is loaded from elsewhere"
        for target in page.links + page.loads:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            place = unquote(parts.path)
            # pages that a server shows anywhere, as 404.html, begin at its root
            base = site if place.startswith("/") else path.parent
            file = base / place.lstrip("/") if place else path
            if file.is_dir():
                file /= "index.html"
            anchor = unquote(parts.fragment)
            if not file.is_file():
                yield f"{name}: {target}: there is no such file"
            elif anchor and file.suffix == ".html" and anchor not in page_of(file).anchors:
                yield f"{name}: {target}: there is no such anchor"


def slug(heading: str) -> str:
    """What GitHub calls a heading."""
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


@cache
def headings_of(path: Path) -> frozenset[str]:
    text = FENCED.sub("", path.read_text("utf-8"))
    found: dict[str, int] = {}
    names = {*NAMED.findall(text), *DESCRIBED.findall(text)}
    for heading in HEADING.findall(text):
        name = slug(heading)
        number = found.get(name, 0)
        found[name] = number + 1
        names.add(f"{name}-{number}" if number else name)
    return frozenset(names)


def source_faults(root: Path) -> Iterator[str]:
    """What is wrong in the pages as they lie in the checkout: one line each."""
    for path in sorted(path for pattern in SOURCES for path in root.glob(pattern)):
        text = COMMENT.sub("", FENCED.sub("", path.read_text("utf-8")))
        plain = CODE.sub("``", text)
        for target in LINK.findall(plain) + SHOWN.findall(plain):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment) if file.suffix == ".md" else ""
            name = path.relative_to(root)
            if not file.exists():
                yield f"{name}: {target}: there is no such file"
            elif anchor and anchor not in headings_of(file):
                yield f"{name}: {target}: there is no such heading"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path, nargs="?", help="folder of the built site")
    site = parser.parse_args().site
    faults = list(source_faults(ROOT))
    if site is not None:
        if not (site / "index.html").is_file():
            parser.error(f"{site} holds no site")
        faults += site_faults(site)
    print(*faults, sep="\n", file=sys.stderr, end="\n" * bool(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
