"""The kinds of weights that a package names, and how far its network may be off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_tessera.models.bioimageio.fields import DescriptionError, Field
from napari_tessera.models.bioimageio.sources import Source, read_source

KINDS = ("pytorch_state_dict", "torchscript", "onnx")
"""Kinds that are loaded, the first choice first: a network that this package has itself runs on
every device and in every precision, an ONNX model only where ONNX Runtime does."""

USUAL_TOLERANCE = 1e-3
"""Absolute and relative tolerance of the format where a package states none."""

_MISMATCHED = 100.0
"""Pixels of a million that may be off, by the default of format 0.5."""


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


@dataclass(frozen=True)
class Tolerance:
    """How far a prediction may be from the packaged one.

    Parameters
    ----------
    absolute, relative : float
        Largest difference: absolute plus relative times the expected value.
    mismatched_per_million : float
        Pixels of a million that may differ by more.
    """

    absolute: float = USUAL_TOLERANCE
    relative: float = USUAL_TOLERANCE
    mismatched_per_million: float = 0.0


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


def read_tolerance(config: Field, kind: str, output: str, *, is_05: bool) -> Tolerance:
    """Read how far the output of one kind of weights may be off.

    Parameters
    ----------
    config : Field
        The description's ``config.bioimageio``.
    kind : str
        The weights.
    output : str
        Name of the output.
    is_05 : bool
        Whether the description is of format 0.5.
    """
    usual = Tolerance(mismatched_per_million=_MISMATCHED if is_05 else 0.0)
    for item in config["reproducibility_tolerance"].items() if is_05 else ():
        kinds = [entry.text() for entry in item["weights_formats"].items()]
        outputs = [entry.text() for entry in item["output_ids"].items()]
        if (not kinds or kind in kinds) and (not outputs or output in outputs):
            parts = item["mismatched_elements_per_million"]
            return Tolerance(
                _tolerance(item["absolute_tolerance"]),
                _tolerance(item["relative_tolerance"]),
                parts.number_in(0, 1e6) if parts else _MISMATCHED,
            )
    own = config["test_kwargs"][kind]
    if not own:
        return usual
    if own["decimal"] and not own["absolute_tolerance"]:
        # numpy's rule for a number of decimal places
        return Tolerance(1.5 * 10.0 ** -own["decimal"].number_in(-9, 30), 0.0)
    return Tolerance(
        _tolerance(own["absolute_tolerance"]),
        _tolerance(own["relative_tolerance"]),
        usual.mismatched_per_million,
    )


def _tolerance(field: Field) -> float:
    return field.number_in(0, 1e9) if field else USUAL_TOLERANCE
