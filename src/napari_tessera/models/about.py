"""Who made a model, and what may be done with it."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True)
class About:
    """What a model file says about itself; empty where it says nothing.

    Parameters
    ----------
    title, description, version, licence, documentation : str or None
        Free text; ``licence`` is an SPDX identifier where the file gives one.
    authors : tuple of str
        Names.
    citations : tuple of Citation
        Works to cite.
    """

    title: str | None = None
    description: str | None = None
    version: str | None = None
    licence: str | None = None
    documentation: str | None = None
    authors: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()
