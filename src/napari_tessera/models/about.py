"""Who made a model, and what may be done with it."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.models.errors import plain_line

_LONGEST = 2000
"""Characters of any text of a stranger."""


@dataclass(frozen=True)
class Citation:
    """A work to cite.

    Parameters
    ----------
    text : str
        Authors, title, journal, year: free text.
    link : str or None
        DOI or address.
    """

    text: str
    link: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", plain_line(self.text, _LONGEST))
        object.__setattr__(self, "link", _plain(self.link))


@dataclass(frozen=True)
class About:
    """What a model file says about itself, in plain lines; empty where it says nothing.

    Parameters
    ----------
    title, description, version, licence, documentation : str or None
        Free text; ``licence`` is an SPDX identifier where the file gives one.
    authors : tuple of str
        Names.
    citations : tuple of Citation
        Works to cite.
    training : str or None
        How it was trained, in a line.
    """

    title: str | None = None
    description: str | None = None
    version: str | None = None
    licence: str | None = None
    documentation: str | None = None
    authors: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()
    training: str | None = None

    def __post_init__(self) -> None:
        for name in ("title", "description", "version", "licence", "documentation", "training"):
            object.__setattr__(self, name, _plain(getattr(self, name)))
        authors = (plain_line(author, _LONGEST) for author in self.authors)
        object.__setattr__(self, "authors", tuple(author for author in authors if author))


def _plain(text: str | None) -> str | None:
    return None if text is None else plain_line(text, _LONGEST) or None
