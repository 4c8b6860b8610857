"""What the dock asks for when the main button is pressed."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_tessera.home_paths import from_home
from napari_tessera.widgets.save_names import split_ending
from napari_tessera.writing.files.formats import FileFormat, format_of

if TYPE_CHECKING:
    from napari.layers import Image, Layer

VIEW, SLICE, VOLUME, EVERYTHING = "What I see", "This slice", "This volume", "Everything"
INSIDE = "Inside shapes"
TILE = "One tile"
AREAS = (VIEW, SLICE, VOLUME, EVERYTHING, INSIDE, TILE)
"""The areas that can be denoised; what is less than everything is a preview."""

ON_CLUSTERS = (VOLUME, EVERYTHING, INSIDE)
"""The areas that a cluster can be asked for; the others are there sooner on this computer."""

IF_EXISTS = ("ask", "rename", "continue", "overwrite")
"""What to do where the file to save to exists; under ``"ask"`` it is a problem of field save."""


_PLAN_SETTINGS = (
    "patch_size",
    "overlaps",
    "batch_size",
    "normalization",
    "statistics",
    "blending",
    "tta",
    "hot_pixels",
    "camera_offset",
    "camera_gain",
)


@dataclass(frozen=True)
class SaveTarget:
    """Where a run saves its result, and how.

    Parameters
    ----------
    path : Path
        OME-Zarr folder or file to make. With several layers each one gets its own beside it (see
        `for_layers`).
    same_dtype : bool, default False
        Save with the input's dtype (rounded and clipped) instead of float32.
    if_exists : {"ask", "rename", "continue", "overwrite"}, default "ask"
        What to do where the path exists.
    format : str, optional
        Name of one of `FORMATS`; by default the one that the path's ending asks for.
    compression : str, optional
        One of the format's; by default its usual one.

    Raises
    ------
    ValueError
        If ``if_exists`` is none of these, the ending is of no format or of another one, or the
        format has no such compression.
    """

    path: Path
    same_dtype: bool = False
    if_exists: str = "ask"
    format: str | None = None
    compression: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", from_home(self.path))
        if self.if_exists not in IF_EXISTS:
            raise ValueError(f"if_exists {self.if_exists!r} is none of {', '.join(IF_EXISTS)}")
        chosen = format_of(self.path, self.format)
        object.__setattr__(self, "format", chosen.name)
        object.__setattr__(self, "compression", chosen.compression(self.compression))

    @property
    def file_format(self) -> FileFormat:
        """The format."""
        return format_of(self.path, self.format)

    def for_layers(self, names: Sequence[str]) -> tuple[Path, ...]:
        """Path for each layer: the path itself for a single one, else with the layer's name.

        Names that a disk could take for the same one are numbered, in the order of the layers.
        """
        if len(names) == 1:
            return (self.path,)
        stem, ending = split_ending(self.path.name)
        paths: dict[str, Path] = {}
        for name in names:
            composed = unicodedata.normalize("NFC", name)
            own = "".join(c if c.isalnum() or c in " ._-()[]" else "_" for c in composed)
            numbers = count(2)
            numbered = own
            while (key := _as_on_disk(numbered)) in paths:
                numbered = f"{own}_{next(numbers)}"
            paths[key] = self.path.with_name(f"{stem}_{numbered}{ending}")
        return tuple(paths.values())


def _as_on_disk(name: str) -> str:
    """What of a name every disk tells apart: some know no upper case, some compose accents."""
    return unicodedata.normalize("NFC", name.casefold())


@dataclass(frozen=True)
class RunRequest:
    """Everything a run depends on, as the dock's fields say it.

    Two requests are equal where a run would do the same, so that a changed field is found by
    comparing them.

    Parameters
    ----------
    layers : tuple of napari.layers.Image
        Input layers, run one after another.
    model : str, Path, torch.nn.Module or callable
        What `load_model` takes.
    channel_models : tuple of (int, model)
        Channels that have a model of their own instead, and these; other channels are left out.
    axes : str, optional
        Axes of the layers' data, for an rgb layer its colour axis C included; None to guess.
    area : str
        What of each layer is denoised: one of `AREAS`.
    inside : napari.layers.Shapes or napari.layers.Labels, optional
        Of area `INSIDE`: the layer in whose polygons, or labelled pixels, tiles are denoised.
    inside_version : int
        Counts how often that layer was edited: after an edit the same layer is another request.
    at : tuple of (str, float), optional
        Of area `TILE`: a position in the image by axis letter; the tile around it is denoised.
    channels : tuple of int, optional
        Channels that are denoised; None for all that the area has.
    patch_size, overlaps : "auto" or tuple of int
        Tile size and total overlap, (Z)YX in pixels.
    batch_size : "auto" or int
        Tiles per run of the model.
    device : str
        ``"auto"`` or a torch device.
    precision : str
        ``"auto"`` or a torch floating type's name.
    normalization : {"auto", "none", "time_point", "series"}
        Where the intensity range comes from; ``"auto"`` is the model's own, else per time point.
    statistics : {"sample", "exact"}
        Which pixels it is measured on.
    blending : {"auto", "crop", "linear", "gaussian"}
        How tiles are joined; ``"crop"`` keeps each pixel from one tile.
    tta : {"none", "mean", "median", "disagreement"}
        What is made of the predictions of 8 flips and turns of each tile.
    hot_pixels : {"keep", "replace"}
        What is done with isolated outliers before the model.
    camera_offset, camera_gain : float, optional
        Grey level of no light, and grey levels per photo-electron; None for 0 and 1.
    save : SaveTarget, optional
        Where to save while running; None for in memory only.
    cluster : str
        Address of the Dask scheduler whose workers denoise; empty, as for areas that are none of
        `ON_CLUSTERS`: on this computer.

    Raises
    ------
    ValueError
        If the area is none of `AREAS`.
    """

    layers: tuple[Image, ...]
    model: str | Path | Callable[..., Any] = "builtin:denoise2d"
    channel_models: tuple[tuple[int, str | Path | Callable[..., Any]], ...] = ()
    axes: str | None = None
    area: str = VIEW
    inside: Layer | None = None
    inside_version: int = 0
    at: tuple[tuple[str, float], ...] | None = None
    channels: tuple[int, ...] | None = None
    patch_size: str | tuple[int, ...] = "auto"
    overlaps: str | tuple[int, ...] = "auto"
    batch_size: str | int = "auto"
    device: str = "auto"
    precision: str = "float32"
    normalization: str = "auto"
    statistics: str = "sample"
    blending: str = "auto"
    tta: str = "none"
    hot_pixels: str = "keep"
    camera_offset: float | None = None
    camera_gain: float | None = None
    save: SaveTarget | None = None
    cluster: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if self.area not in AREAS:
            raise ValueError(f"area {self.area!r} is none of {', '.join(AREAS)}")
        if self.area not in ON_CLUSTERS:
            object.__setattr__(self, "cluster", "")

    @property
    def source(self) -> str | Path | Callable[..., Any] | Mapping[int, Any]:
        """What `load_model` takes: the model, or those of the channels."""
        return dict(self.channel_models) or self.model

    @property
    def made_channels(self) -> tuple[int, ...] | None:
        """Channels that are chosen, or have a model of their own; None for all."""
        if self.channels is not None or not self.channel_models:
            return self.channels
        return tuple(channel for channel, _ in self.channel_models)

    def save_path(self, layer: Image) -> Path | None:
        """Where the result for one of the layers is saved; None where nothing is."""
        if self.save is None:
            return None
        paths = self.save.for_layers([each.name for each in self.layers])
        return paths[self.layers.index(layer)]

    @property
    def plan_settings(self) -> dict[str, Any]:
        """Settings of `plan_prediction` that are not left at their default."""
        defaults = {field.name: field.default for field in fields(self)}
        return {
            name: getattr(self, name)
            for name in _PLAN_SETTINGS
            if getattr(self, name) != defaults[name]
        }
