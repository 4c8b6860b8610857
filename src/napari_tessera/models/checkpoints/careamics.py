"""Checkpoints of CAREamics, read without CAREamics.

Two layouts: up to 0.1 all settings lie in ``hyper_parameters``; from 0.2 on (and in the new parts
of 0.1) those of the data lie in ``datamodule_hyper_parameters`` and the version in
``careamics_info``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_tessera.models.about import About
from napari_tessera.models.architectures import ArchitectureError, UNetSettings, shown
from napari_tessera.models.checkpoints.algorithms import citations, describe
from napari_tessera.models.checkpoints.normalization import read_normalization
from napari_tessera.models.errors import plain_line
from napari_tessera.models.processing import Processing

if TYPE_CHECKING:
    from torch import Tensor

_PIXEL_TO_PIXEL = frozenset({"n2v", "n2n", "care"})
_PREFIX = "model."
_USE_CAREAMICS = "Predict with CAREamics itself"


class CareamicsError(ValueError):
    """A checkpoint of CAREamics that is not loaded; half a sentence says why."""

    def __init__(self, why: str, way_out: str = "Save it again with CAREamics") -> None:
        super().__init__(why)
        self.way_out = way_out


@dataclass(frozen=True)
class CareamicsCheckpoint:
    """What a checkpoint of CAREamics holds.

    Parameters
    ----------
    version : str or None
        CAREamics' version, two numbers: ``"0.3"``.
    settings : UNetSettings
        The network.
    state : mapping of str to Tensor
        Its weights.
    processing : Processing or None
        What is done to grey levels; None where the checkpoint does not say.
    about : About
        Its name, and whom to cite.
    warnings : tuple of str
        What people should know: one line each.
    """

    version: str | None
    settings: UNetSettings
    state: Mapping[str, Tensor]
    processing: Processing | None
    about: About
    warnings: tuple[str, ...]


def is_careamics(content: object) -> bool:
    """Whether a checkpoint has CAREamics' settings in it."""
    return _algorithm(content) is not None


def read_careamics(
    content: Mapping[str, object], state: Mapping[str, Tensor]
) -> CareamicsCheckpoint:
    """Read a checkpoint of CAREamics.

    Parameters
    ----------
    content : mapping
        The whole checkpoint; `is_careamics` said yes.
    state : mapping of str to Tensor
        The weights in it.

    Raises
    ------
    CareamicsError
        If it is not of an algorithm that maps an image to an image, or if its settings are not
        what CAREamics writes, or do not go with its weights.
    """
    algorithm = _algorithm(content)
    assert algorithm is not None
    name = _text(algorithm.get("algorithm"))
    model = _mapping(algorithm.get("model"))
    architecture = _text(model.get("architecture", "UNet"))
    if name not in _PIXEL_TO_PIXEL or architecture != "UNet":
        raise CareamicsError(describe(name, architecture), _USE_CAREAMICS)
    # other entries belong to training: metrics, noise models
    weights = {
        key.removeprefix(_PREFIX): value for key, value in state.items() if key.startswith(_PREFIX)
    }
    data, version = _data_settings(content), _version(content)
    try:
        settings = _checked_settings(model, weights)
        processing, warnings = read_normalization(data, settings)
    except ArchitectureError as error:
        raise CareamicsError(str(error)) from error
    if version is not None and _took_the_input(version, processing):
        warnings = (
            *warnings,
            f"CAREamics {version} brought predictions back with the input's statistics; the "
            "target's, which it trained for, are used here as in CAREamics 0.3",
        )
    channels = data.get("channels")
    if isinstance(channels, list) and channels:
        chosen = ", ".join(_text(channel) for channel in channels[:8])
        warnings = (*warnings, f"it was trained on channels {chosen} of its images: give it these")
    return CareamicsCheckpoint(
        version,
        settings,
        weights,
        processing,
        About(title=_title(content), citations=citations(name, settings.n2v2, algorithm)),
        warnings,
    )


def _checked_settings(model: Mapping[str, object], weights: Mapping[str, Tensor]) -> UNetSettings:
    """What the settings say, where weights show it too: the same."""
    said = UNetSettings.from_keywords({"conv_dims": 2, "depth": 2, **model})
    seen = UNetSettings.from_weights(weights)
    if seen is None:
        raise ArchitectureError("its weights are not those of a CAREamics UNet")
    for field, name in _NAMED.items():
        one, other = getattr(said, field), getattr(seen, field)
        # grouping one channel changes nothing
        if name in model and one != other and (field, seen.in_channels) != ("independent", 1):
            raise ArchitectureError(
                f"its settings say {name} {shown(one)}, its weights are of {shown(other)}"
            )
    return replace(
        seen,
        batch_norm=said.batch_norm,
        residual=said.residual,
        activation=said.activation,
    )


_NAMED = {
    "spatial_dims": "conv_dims",
    "in_channels": "in_channels",
    "out_channels": "num_classes",
    "depth": "depth",
    "features": "num_channels_init",
    "n2v2": "n2v2",
    "independent": "independent_channels",
}
"""What CAREamics calls the settings that weights show as well."""


def _took_the_input(version: str, processing: Processing | None) -> bool:
    """Whether CAREamics' own predictions are on another scale than the target it trained for."""
    if processing is None or not processing.after:
        return False
    older = tuple(int(part) for part in version.split(".")) < (0, 3)
    return older and processing.measured().after == processing.after and not processing.needs


def _algorithm(content: object) -> Mapping[str, object] | None:
    settings = _mapping(_mapping(content).get("hyper_parameters")).get("algorithm_config")
    found = _mapping(settings)
    return found if {"algorithm", "model"} <= found.keys() else None


def _data_settings(content: Mapping[str, object]) -> Mapping[str, object]:
    for place in ("datamodule_hyper_parameters", "hyper_parameters"):
        found = _mapping(_mapping(content.get(place)).get("data_config"))
        if found:
            return found
    return {}


def _version(content: Mapping[str, object]) -> str | None:
    for place in ("careamics_info", "hyper_parameters"):
        text = _mapping(content.get(place)).get("version")
        found = re.match(r"\d{1,4}\.\d{1,4}", text) if isinstance(text, str) else None
        if found:
            return found[0]
    return None


def _title(content: Mapping[str, object]) -> str | None:
    for place in ("careamics_info", "hyper_parameters"):
        text = _mapping(content.get(place)).get("experiment_name")
        if isinstance(text, str) and text:
            return " ".join(text.split())[:200]
    return None


def _text(value: object) -> str:
    return plain_line(value, 40) if isinstance(value, str) else shown(value)


def _mapping(value: object) -> Mapping[str, object]:
    """A mapping with text for keys; anything else is an empty one."""
    if not isinstance(value, Mapping):
        return {}
    return {key: item for key, item in value.items() if isinstance(key, str)}
