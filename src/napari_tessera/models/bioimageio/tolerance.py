"""How far a package's network may be off when its own test is run."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.models.bioimageio.fields import Field

_USUAL = 1e-3
"""Absolute and relative tolerance of the format where a package states none."""

_MISMATCHED = 100.0
"""Pixels of a million that may be off, by the default of format 0.5."""


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

    absolute: float = _USUAL
    relative: float = _USUAL
    mismatched_per_million: float = 0.0


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
    return field.number_in(0, 1e9) if field else _USUAL
