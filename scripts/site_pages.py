"""What mkdocs does for the site beside its own work: pages of the root, links out of docs.

`mkdocs.yml` names this file as a hook. CONTRIBUTING.md and its like become pages of the site as
they are. A link of a page that leads out of `docs/` is turned to the page that the site has of it;
where there is none, as of a source file, its text remains. One that leads nowhere is a warning,
which `mkdocs build --strict` ends with.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""Files of the root, and what they are called in the site."""
ELSEWHERE = {"README.md": "index.md"}
"""Files that are no pages, and the page that is linked in their place."""

LINK = re.compile(
    r"(?P<code>^[ \t]*(?P<fence>`{3,}).*?^[ \t]*(?P=fence)|`[^`\n]+`|<!--.*?-->)"
    r"|(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s]+)\)",
    re.DOTALL | re.MULTILINE,
)
ADDRESS = re.compile(r"[a-z][a-z+.-]*:|#|/", re.IGNORECASE)

log = logging.getLogger("mkdocs.hooks.site_pages")


def in_site(text: str, source: str, page: str, root: Path = ROOT) -> str:
    """Return a page's text with its links as the site has them.

    Parameters
    ----------
    text : str
        Markdown.
    source : str
        Path of the file, from the root on.
    page : str
        Path of the page in the site's sources, from `docs/` on.
    root : Path
        The checkout.
    """

    def link(match: re.Match[str]) -> str:
        if match["code"] or ADDRESS.match(match["target"]):
            return match[0]
        path, _, anchor = match["target"].partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if not (root / target).exists():
            log.warning("%s links to %s, which is not there", source, match["target"])
            return match[0]
        known = PAGES | ELSEWHERE
        if (root / target).is_dir():
            return match["text"]
        if target.startswith("docs/"):
            wanted = target.removeprefix("docs/")
        elif target in known:
            wanted = known[target]
            anchor = "" if target in ELSEWHERE else anchor
        else:
            return match["text"]
        found = posixpath.relpath(wanted, posixpath.dirname(page) or ".")
        return f"{match['image']}[{match['text']}]({found}{'#' * bool(anchor)}{anchor})"

    return LINK.sub(link, text)


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Add pages of the root."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        if (ROOT / source).is_file():
            text = in_site((ROOT / source).read_text("utf-8"), source, page)
            files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links that lead out of `docs/`."""
    uri = page.file.src_uri
    return markdown if page.file.generated_by else in_site(markdown, f"docs/{uri}", uri)
