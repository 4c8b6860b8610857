"""The kinds of weights that a package names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_tessera.models.bioimageio.fields import DescriptionError, Field
from napari_tessera.models.bioimageio.sources import Source, read_source

KINDS = ("pytorch_state_dict", "torchscript", "onnx")
"""Kinds that are loaded, the first choice first: a network that this package has itself runs on
every device and in every precision, an ONNX model only where ONNX Runtime does."""


@dataclass(frozen=True)
class WeightsEntry:
    """One kind of weights.

    Parameters
    ----------
    kind : str
        As the format calls it.
    source : Source
        The file.
    callable : str
        Of a state dict: the name of the network's class.
    module : str
        Where that is imported from; "" where its source code lies in the package.
    kwargs : mapping
        What it is built with.
    problem : DescriptionError or None
        Why it cannot be loaded, where that is known already: others may be.
    """

    kind: str
    source: Source
    callable: str = ""
    module: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    problem: DescriptionError | None = None


def read_weights(weights: Field) -> tuple[WeightsEntry, ...]:
    """Read which weights there are, in the order of `KINDS` and then of the file."""
    entries = [_read_entry(kind, entry) for kind, entry in weights.entries()]
    if not entries:
        raise DescriptionError("it has no weights", "Ask its author for a package with weights")
    return tuple(
        sorted(entries, key=lambda e: KINDS.index(e.kind) if e.kind in KINDS else len(KINDS))
    )


def _read_entry(kind: str, entry: Field) -> WeightsEntry:
    try:
        return _checked_entry(kind, entry)
    except DescriptionError as error:
        return WeightsEntry(kind, Source(entry.path, "", None), problem=error)


def _checked_entry(kind: str, entry: Field) -> WeightsEntry:
    source = read_source(entry.needed("source"), entry["sha256"])
    if kind != "pytorch_state_dict":
        return WeightsEntry(kind, source)
    architecture = entry.needed("architecture")
    if isinstance(architecture.value, dict):
        module = architecture["import_from"].text() if architecture["import_from"] else ""
        name, kwargs = architecture.needed("callable").text(), architecture["kwargs"]
    else:
        # 0.4: "file.py:Class" or "package.module.Class"
        text = architecture.text()
        kwargs = entry["kwargs"]
        if ":" in text:
            module, name = "", text.rpartition(":")[2]
        else:
            module, _, name = text.rpartition(".")
    arguments = {key: value.value for key, value in kwargs.entries()}
    return WeightsEntry(kind, source, name, module, arguments)
