"""What is known of a model, in the words that people read in the dock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_tessera.widgets.fields.text import overlap_text, sizes_text

if TYPE_CHECKING:
    from napari_tessera.models.info import ModelInfo

_HASH = 12
_MOST_AUTHORS = 4
_NO_TEST, _NOT_RUN = "none", "not run"


@dataclass(frozen=True)
class Fact:
    """One line about a model.

    Parameters
    ----------
    label, text : str
        What it is about, in a word; what there is to say.
    link : str or None
        Where there is more.
    tip : str
        Longer text.
    """

    label: str
    text: str
    link: str | None = None
    tip: str = ""


def facts(info: ModelInfo) -> list[Fact]:
    """What is known of a model, line by line; nothing of what is not known."""
    about = info.about
    found = [
        Fact("Name", about.title or "", _web(about.documentation), about.description or ""),
        Fact("Kind", info.format),
        Fact("Takes", takes_text(info)),
        Fact("Intensity", info.normalization),
        Fact("Looks", looks_text(info.reach)),
        Fact("Sizes", sizes_taken_text(info)),
        Fact("Weights", weights_text(info.parameters, info.numbers)),
        Fact("Prepared", info.preparation),
        Fact("Trained", about.training or ""),
        Fact("Version", about.version or ""),
        Fact("Licence", about.licence or ""),
        Fact("Authors", _some(about.authors), tip=", ".join(about.authors)),
    ]
    found += [
        Fact("Cite", work.text or work.link or "", _web(work.link)) for work in about.citations
    ]
    is_file = not info.source.startswith(("builtin:", "python:"))
    found.append(Fact("File", Path(info.source).name if is_file else "", tip=info.source))
    found.append(Fact("SHA-256", info.sha256[:_HASH], tip=info.sha256))
    return [fact for fact in found if fact.text]


def takes_text(info: ModelInfo) -> str:
    """What goes in and comes out: ``"images (2D), 1 channel at a time"``."""
    kind = "images (2D)" if info.spatial_dims == 2 else "volumes (3D)"
    given, made = info.in_channels, info.out_channels
    if given is None:
        return f"{kind}, any number of channels"
    if given == made == 1:
        return f"{kind}, 1 channel at a time"
    channels = f"{given} channel{'s' if given != 1 else ''}"
    return f"{kind}, {channels}" if given == made else f"{kind}, {channels} in, {made} out"


def looks_text(reach: Sequence[int] | None) -> str:
    """How far a model looks: ``"26 px around each pixel"``."""
    if reach is None:
        return "at the whole tile: tiles cannot join exactly"
    return f"{overlap_text(reach)} px around each pixel"


def sizes_taken_text(info: ModelInfo) -> str:
    """Sizes that the network takes as they are: ``"multiples of 4; others are padded"``."""
    sizes = info.sizes
    scaled = ""
    if any(scale != 1 for scale in info.output_scale):
        factor = "×".join(f"{scale:g}" for scale in info.output_scale)
        scaled = f"; its output is {factor} as large"
    if {*sizes.minimum, *sizes.step} <= {1}:
        return f"any{scaled}"
    if sizes.is_fixed:
        return f"{sizes_text(sizes.minimum)} only; others are padded{scaled}"
    if sizes.minimum == sizes.step:
        said = f"multiples of {overlap_text(sizes.step)}"
    else:
        said = f"from {overlap_text(sizes.minimum)} in steps of {overlap_text(sizes.step)}"
    if all(most is not None for most in sizes.maximum):
        said += f" to {overlap_text([most or 0 for most in sizes.maximum])}"
    return f"{said}; others are padded{scaled}"


def weights_text(parameters: int | None, dtype: str) -> str:
    """How large a network is: ``"1.9 million, float32"``; only the type where that is unknown."""
    if parameters is None:
        return dtype
    for size, name in ((1_000_000_000, " billion"), (1_000_000, " million")):
        if parameters >= size:
            return f"{parameters / size:.1f}{name}, {dtype}"
    return f"{parameters:,}, {dtype}"


def has_own_test(info: ModelInfo) -> bool:
    """Whether a package brings test tensors."""
    return info.own_test != _NO_TEST


def own_test_said(info: ModelInfo) -> bool:
    """Whether the test was run, so that there is something to say."""
    return info.own_test not in (_NO_TEST, _NOT_RUN)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_AUTHORS])
    return f"{shown} and {len(names) - _MOST_AUTHORS} more" if len(names) > _MOST_AUTHORS else shown


def _web(address: str | None) -> str | None:
    """Address of a page, also of a bare DOI; nothing else that a file may call a link."""
    if address and address.startswith("10.") and "/" in address:
        return f"https://doi.org/{address}"
    return address if address and address.startswith(("https://", "http://")) else None
