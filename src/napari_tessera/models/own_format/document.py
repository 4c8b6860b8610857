"""What a model file of this package says beside its weights, checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from napari_tessera.models.architectures import ArchitectureError, UNetSettings, shown
from napari_tessera.models.architectures.activations import checked_activation
from napari_tessera.models.architectures.keywords import Keywords
from napari_tessera.models.errors import plain_line
from napari_tessera.models.own_format.plain import plain_json
from napari_tessera.models.processing import Processing, Standardize, Undo
from napari_tessera.models.ways_out import SAVE_AGAIN

EPSILON = 1e-6
"""Added to a standard deviation before it divides, as CAREamics 0.3 does."""

FORMAT = 1
MOST_TEXT = 4 * 2**20
"""Characters of a document that are read."""

_LARGEST = 1e30
"""Grey levels beyond this would be infinite in float32 when they are squared."""

_MOST_AUTHORS = 100
_LONGEST_NAME = 200
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{1,60}")
_AXES = {2: "YX", 3: "ZYX"}


class OwnFormatError(ValueError):
    """A document that no model can be made of; half a sentence says why."""

    def __init__(self, why: str, way_out: str = SAVE_AGAIN) -> None:
        super().__init__(why)
        self.way_out = way_out


@dataclass(frozen=True)
class TrainedDocument:
    """What a model file of this package says beside its weights.

    Parameters
    ----------
    settings : UNetSettings
        The network.
    means, stds : tuple of float
        Grey levels that it was trained on, one number for each input channel: the network sees
        ``(x − mean) / (std + 1e-6)``.
    target_means, target_stds : tuple of float or None
        Those of what it was trained towards, one for each output channel; its answer is brought
        back as ``y · (std + 1e-6) + mean``. None: as the input's.
    name : str
        What people call it.
    training : mapping
        How it was trained: plain values, whatever their names are.
    licence : str or None
        SPDX identifier of the weights' licence, where there is one.
    authors : tuple of str
        Names.

    Raises
    ------
    OwnFormatError
        If numbers are not as many as channels, not finite, or a deviation is below 0.
    """

    settings: UNetSettings
    means: tuple[float, ...]
    stds: tuple[float, ...]
    target_means: tuple[float, ...] | None = None
    target_stds: tuple[float, ...] | None = None
    name: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    licence: str | None = None
    authors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_pair(self.means, self.stds, self.settings.in_channels, "")
        if (self.target_means is None) != (self.target_stds is None):
            raise OwnFormatError("it holds one of target_means and target_stds, and needs both")
        if self.target_means is not None and self.target_stds is not None:
            channels = self.settings.out_channels
            _check_pair(self.target_means, self.target_stds, channels, "target_")
        elif self.settings.in_channels != self.settings.out_channels:
            raise OwnFormatError(
                f"it makes {self.settings.out_channels} channels of {self.settings.in_channels} "
                "and has no target_means"
            )
        name = plain_line(self.name, _LONGEST_NAME)
        object.__setattr__(self, "name", name)

    @property
    def axes(self) -> str:
        """``"YX"`` or ``"ZYX"``."""
        return _AXES[self.settings.spatial_dims]

    @cached_property
    def processing(self) -> Processing:
        """What is done to grey levels before and after the network."""
        forward = Standardize(self.means, self.stds)
        back = forward
        if self.target_means is not None:
            back = Standardize(self.target_means, self.target_stds)
        return Processing((forward,), (Undo(back),))

    @property
    def output_pair(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Means and deviations that the network's answer is brought back with."""
        if self.target_means is None or self.target_stds is None:
            return self.means, self.stds
        return self.target_means, self.target_stds

    def signed(self, authors: Sequence[str], licence: str | None) -> TrainedDocument:
        """The same with authors and licence, where they are given.

        Raises
        ------
        ValueError
            If the licence is no SPDX identifier, by its letters.
        """
        if licence is not None and not _SPDX.fullmatch(licence):
            raise ValueError(
                f"licence {licence[:60]!r} is no SPDX identifier: write it as in CC-BY-4.0, MIT or "
                "BSD-3-Clause (https://spdx.org/licenses)"
            )
        names = tuple(filter(None, (plain_line(name, _LONGEST_NAME) for name in authors)))
        return replace(self, authors=names or self.authors, licence=licence or self.licence)

    def to_json(self) -> str:
        """JSON for the header of a file; what JSON does not know in ``training`` becomes text."""

        def listed(values: tuple[float, ...] | None) -> list[float] | None:
            return None if values is None else [float(value) for value in values]

        whole = {
            "format": FORMAT,
            "name": self.name,
            "architecture": {"name": "UNet", **asdict(self.settings)},
            "axes": self.axes,
            "channels": self.settings.in_channels,
            "normalization": {
                "means": listed(self.means),
                "stds": listed(self.stds),
                "target_means": listed(self.target_means),
                "target_stds": listed(self.target_stds),
            },
            "training": plain_json(self.training),
            "licence": self.licence,
            "authors": list(self.authors),
        }
        return json.dumps(whole, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> TrainedDocument:
        """Read what `to_json` wrote; a stranger may have written it.

        Raises
        ------
        OwnFormatError
            If it is too long, no JSON, of a newer format, or says what no network is built from.
        """
        if len(text) > MOST_TEXT:
            raise OwnFormatError(
                f"its description has {len(text):,} characters, more than {MOST_TEXT:,}"
            )
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            raise OwnFormatError("its description is no JSON") from None
        if not isinstance(whole, dict):
            raise OwnFormatError("its description is no JSON object")
        _check_format(whole.get("format"))
        try:
            settings = _settings(whole.get("architecture"))
        except ArchitectureError as error:
            raise OwnFormatError(str(error)) from error
        axes, channels = _AXES[settings.spatial_dims], settings.in_channels
        for key, value in (("axes", axes), ("channels", channels)):
            if whole.get(key) != value or isinstance(whole.get(key), bool):
                raise OwnFormatError(
                    f"its {key} {shown(whole.get(key))} is not the network's {value!r}"
                )
        normalization = whole.get("normalization")
        if not isinstance(normalization, dict):
            raise OwnFormatError("it does not say how grey levels are normalized")
        training = whole.get("training")
        return cls(
            settings,
            _needed(normalization, "means"),
            _needed(normalization, "stds"),
            _numbers(normalization, "target_means"),
            _numbers(normalization, "target_stds"),
            _text(whole.get("name")) or "",
            training if isinstance(training, dict) else {},
            _text(whole.get("licence")),
            _names(whole.get("authors")),
        )


def _check_format(found: object) -> None:
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise OwnFormatError(f"its format {shown(found)} is no version")
    if found > FORMAT:
        raise OwnFormatError(
            f"it is of format {shown(found)}, and this napari-tessera reads {FORMAT}",
            "Update it: pip install -U napari-tessera",
        )


def _settings(found: object) -> UNetSettings:
    if not isinstance(found, dict):
        raise ArchitectureError("it does not say which network it is")
    given = {key: value for key, value in found.items() if isinstance(key, str)}
    if given.pop("name", None) != "UNet":
        raise ArchitectureError(
            f"its architecture {shown(found.get('name'))} is none that is known here, only UNet is"
        )
    known = {one.name for one in fields(UNetSettings)}
    for key in given:
        if key not in known:
            raise ArchitectureError(f"its architecture has an unknown setting {shown(key)}")
    read = Keywords(given)
    return UNetSettings(
        spatial_dims=read.integer("spatial_dims", None),
        in_channels=read.integer("in_channels", None),
        out_channels=read.integer("out_channels", None),
        depth=read.integer("depth", None),
        features=read.integer("features", None),
        independent=read.boolean("independent", True),
        batch_norm=read.boolean("batch_norm", True),
        n2v2=read.boolean("n2v2", False),
        residual=read.boolean("residual", False),
        activation=checked_activation(read.text("activation", "none")),
    )


def _needed(found: Mapping[str, object], key: str) -> tuple[float, ...]:
    values = _numbers(found, key)
    if values is None:
        raise OwnFormatError(f"its {key} are missing")
    return values


def _numbers(found: Mapping[str, object], key: str) -> tuple[float, ...] | None:
    values = found.get(key)
    if values is None:
        return None
    if not isinstance(values, list):
        raise OwnFormatError(f"its {key} are {shown(values)}, which is no list of numbers")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise OwnFormatError(f"its {key} hold {shown(value)}, which is no number")
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise OwnFormatError(f"its {key} hold {shown(value)}, which is too large")
    return tuple(float(value) for value in values)


def _check_pair(means: Sequence[float], stds: Sequence[float], channels: int, prefix: str) -> None:
    for key, values in ((f"{prefix}means", means), (f"{prefix}stds", stds)):
        if len(values) != channels:
            raise OwnFormatError(
                f"its {len(values)} {key} do not go with {channels} channel(s) of the network"
            )
        for value in values:
            if not math.isfinite(value) or abs(value) > _LARGEST:
                raise OwnFormatError(f"its {key} hold {value}, which is not finite or too large")
    if min(stds) < 0:
        raise OwnFormatError(f"its {prefix}stds hold {min(stds)}, which is below 0")


def _text(found: object) -> str | None:
    return plain_line(found, _LONGEST_NAME) or None if isinstance(found, str) else None


def _names(found: object) -> tuple[str, ...]:
    names = found[:_MOST_AUTHORS] if isinstance(found, list) else []
    return tuple(name for name in map(_text, names) if name)
