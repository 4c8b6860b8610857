"""What a release says of the project's address, which the sources do not know.

Hatchling calls `ProjectAddress` for every build. Where `NAPARI_TESSERA_REPOSITORY` is set
(``owner/name`` on GitHub; the release workflow does so), the metadata get links to sources, issues,
changelog and documentation, and the README's relative links lead to the files of that release, as
PyPI has none of them. Without it the README stays as it is and there are no links.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "NAPARI_TESSERA_REPOSITORY"
README = "README.md"
PICTURES = (".gif", ".jpg", ".jpeg", ".png", ".svg", ".webp")

FENCE = re.compile(r"^(```|~~~)", re.MULTILINE)
TARGETS = (
    re.compile(r"(?P<before>\]\(<?)(?P<target>[^)\s>]+)"),
    re.compile(r"(?P<before>^\[[^\]]+\]:\s+<?)(?P<target>[^\s>]+)", re.MULTILINE),
    re.compile(r"""(?P<before>\b(?:src|href|srcset)=["'])(?P<target>[^"'\s]+)"""),
)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#|/", re.IGNORECASE)


def release_tag(version: str) -> str:
    """Tag of a release; of what is none, what the repository shows first."""
    return f"v{version}" if re.fullmatch(r"\d+(\.\d+)*((a|b|rc)\d+)?", version) else "HEAD"


def project_urls(repository: str, version: str) -> dict[str, str]:
    """Links for the metadata, under labels that PyPI knows."""
    owner, name = repository.split("/")
    source = f"https://github.com/{repository}"
    return {
        "Source": source,
        "Issues": f"{source}/issues",
        "Changelog": f"{source}/blob/{release_tag(version)}/CHANGELOG.md",
        "Documentation": f"https://{owner.lower()}.github.io/{name}/",
    }


def with_absolute_links(text: str, repository: str, version: str) -> str:
    """A page of Markdown whose links and pictures lead to the files of a release."""
    tag = release_tag(version)

    def absolute(found: re.Match[str]) -> str:
        target = found["target"]
        if ELSEWHERE.match(target):
            return found[0]
        target = target.removeprefix("./")
        if target.partition("#")[0].lower().endswith(PICTURES):
            return f"{found['before']}https://raw.githubusercontent.com/{repository}/{tag}/{target}"
        return f"{found['before']}https://github.com/{repository}/blob/{tag}/{target}"

    parts = FENCE.split(text)
    # text, fence, code, fence, text, …
    for index in range(0, len(parts), 4):
        for pattern in TARGETS:
            parts[index] = pattern.sub(absolute, parts[index])
    return "".join(parts)


class ProjectAddress(MetadataHookInterface):
    """Fill in what `pyproject.toml` names as dynamic, but for the version."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = Path(self.root, README).read_text(encoding="utf-8")
        repository = os.environ.get(VARIABLE, "")
        if repository:
            if not re.fullmatch(r"[\w-]+/[\w.-]+", repository):
                raise ValueError(f"{VARIABLE} is {repository!r}; it must be owner/name")
            metadata["urls"] = project_urls(repository, metadata["version"])
            text = with_absolute_links(text, repository, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
