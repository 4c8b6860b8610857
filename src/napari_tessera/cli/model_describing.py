"""What a model is, as lines for people: the text of ``info MODEL`` and ``models list``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_tessera.models.errors import plain_line

_WIDTH = 12
_LONGEST = 10_000


def as_text(facts: Mapping[str, Any]) -> str:
    """Facts about a model as lines; what is unknown is left out.

    Parameters
    ----------
    facts : mapping
        What `ModelInfo.to_dict` gives.
    """
    about = facts["about"]
    lines = {
        "model": facts["name"],
        "title": about["title"],
        "format": facts["format"],
        "source": facts["source"],
        "images": _images(facts),
        "numbers": facts["numbers"],
        "prepared": facts["preparation"],
        "intensity": facts["normalization"],
        "sizes": _sizes(**facts["sizes"]),
        "reach": "everywhere: tiles cannot join exactly, and are blended"
        if facts["reach"] is None
        else f"{_times(facts['reach'])} px",
        "period": f"{_times(facts['period'])} px",
        "output": _output(facts),
        "parameters": None if facts["parameters"] is None else f"{facts['parameters']:,}",
        "trained": about["training"],
        "version": about["version"],
        "licence": about["licence"],
        "authors": ", ".join(about["authors"]),
        "cite": "; ".join(_citation(work) for work in about["citations"]),
        "see": about["documentation"],
        "own test": facts["own_test"].removeprefix("the package's own test "),
        "sha256": facts["sha256"],
    }
    return "\n".join(f"{name:<{_WIDTH}}{_one_line(text)}" for name, text in lines.items() if text)


def listed(models: Sequence[Mapping[str, str]]) -> str:
    """Models under the words for where they come from.

    Parameters
    ----------
    models : sequence of mapping
        Each with ``model`` and ``kind``.
    """
    return "\n".join(f"{model['kind']:<{_WIDTH}}{_one_line(model['model'])}" for model in models)


def _images(facts: Mapping[str, Any]) -> str:
    taken = facts["in_channels"]
    into = "any number of channels" if taken is None else _channels(taken)
    return f"{facts['spatial_dims']}D, {into} in, {_channels(facts['out_channels'])} out"


def _channels(count: int) -> str:
    return f"{count} {'channel' if count == 1 else 'channels'}"


def _sizes(
    minimum: Sequence[int], step: Sequence[int], maximum: Sequence[int | None]
) -> str | None:
    """``from 16 × 16 px, in steps of 4 × 4, to 512 × any``; what other sizes are padded to."""
    if not any(step):
        return f"{_times(minimum)} px alone; others are padded to it"
    text = f"from {_times(minimum)} px"
    if any(distance != 1 for distance in step):
        text += f", in steps of {_times(step)}"
    if any(most is not None for most in maximum):
        text += f", to {_times(maximum)}"
    return "any" if text == f"from {_times([1] * len(step))} px" else text


def _output(facts: Mapping[str, Any]) -> str | None:
    """What is odd about the size of the output; None where it has that of the input."""
    odd = []
    if any(scale != 1 for scale in facts["output_scale"]):
        odd.append(f"{_times(f'{scale:g}' for scale in facts['output_scale'])} times as large")
    if any(facts["offset"]):
        odd.append(f"{_times(facts['offset'])} px are lost at each end, and padded before")
    return ", ".join(odd) or None


def _citation(work: Mapping[str, Any]) -> str:
    return " ".join(part for part in (work["text"], work["link"]) if part)


def _times(sizes: Any) -> str:
    return " × ".join("any" if size is None else str(size) for size in sizes)


def _one_line(text: str) -> str:
    return plain_line(str(text), _LONGEST)
