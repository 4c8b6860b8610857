"""A prediction, decided: everything that fixes the pixels, and how it is run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_tessera.axes import check_channels
from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.patching.windows import AxisWindows
from napari_tessera.prediction.area import TileArea
from napari_tessera.prediction.camera_numbers import checked_gain, checked_offset
from napari_tessera.prediction.cores import MOST_THREADS, reading_threads
from napari_tessera.prediction.hot_pixels import HotPixels
from napari_tessera.prediction.inside.kept import KeptTiles
from napari_tessera.prediction.normalization import Normalization
from napari_tessera.region import Region

PLAN_VERSION = 3
"""Counted up when stored plans can no longer be read as they were meant."""

VERSION_INSIDE = 4
"""Version of a plan that skips tiles: software that knows of none would predict them all."""

VERSION_CAMERA = 5
"""Version of a plan with hot pixels, offset or gain of a camera, tiles skipped or not."""

BLENDINGS = ("crop", "linear", "gaussian")
"""How tiles are joined: by their cores, or as weighted sums where they overlap."""

TTA = ("none", "mean", "median", "disagreement")
"""Test-time augmentation: what is made of the predictions of the 8 flips and turns of a tile."""

_OPTIONAL = ("inside", "hot_pixels", "camera_offset", "camera_gain")
"""Fields that are left out where they are None: so plans made before them keep fingerprints."""

_DAMAGED = (
    AttributeError,
    LookupError,
    OverflowError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What reading values raises that are none of a plan: of numbers too large, names of no dtype, …"""

_UNDECIDING = ("model_name", "settings", "warnings")
"""Fields of a plan that decide no pixels: a model is known by its weights, not by its name."""


def base_samples(layout: Layout, area: Region) -> list[int]:
    """Samples of the unfolded image (S and T merged) that a region of the output has."""
    size_t = layout.base.original_dim_sizes.get("T", 1)
    return [s * size_t + t for s in area.along("S") for t in area.along("T")]


def first_sample(layout: Layout, area: Region) -> int:
    """The first of `base_samples`, without listing them: a damaged plan may name very many."""
    size_t = layout.base.original_dim_sizes.get("T", 1)
    return area.along("S")[0] * size_t + area.along("T")[0]


class PlanError(ValueError):
    """A setting that cannot be planned with.

    Parameters
    ----------
    message : str
        One line naming the value, the limit and the way out.
    field : str
        The setting it is about: ``"image"``, ``"axes"``, ``"model"``, ``"area"``,
        ``"patch_size"``, ``"overlaps"``, ``"batch_size"``, ``"blending"``, ``"normalization"``,
        ``"statistics"``, ``"tta"``, ``"hot_pixels"``, ``"camera_offset"``, ``"camera_gain"``,
        ``"output_dtype"``, ``"threads"``, or ``"plan"`` for a plan
        that was given.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def check_choice(wanted: object, known: Sequence[str], field: str, name: str) -> None:
    """Raise PlanError unless a setting is one of those that there are."""
    if wanted not in known:
        raise PlanError(f"{name} {wanted!r} is none of {', '.join(known)}", field)


@dataclass(frozen=True)
class RunSettings:
    """How a plan is run; none of it decides the pixels (to what "bit for bit" means).

    Parameters
    ----------
    batch_size : int
        Tiles that go through the model at once.
    reader_threads : int
        Threads that read tiles ahead; as many as suit the machine where nothing is said (see
        `reading_threads`).
    torch_threads : int or None
        Threads of the model on a CPU; None for torch's own choice.
    """

    batch_size: int = 1
    reader_threads: int = field(default_factory=reading_threads)
    torch_threads: int | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None and name == "torch_threads":
                continue
            setting = "batch_size" if name == "batch_size" else "threads"
            label = name.replace("_", " ")
            if isinstance(value, bool) or not isinstance(value, int):
                raise PlanError(f"{label} {value!r} is not a whole number", setting)
            if value < 1:
                raise PlanError(f"{label} {value} is below 1; use 1 or more", setting)
            if setting == "threads" and value > MOST_THREADS:
                raise PlanError(f"{label} {value} is above {MOST_THREADS}; use fewer", setting)


@dataclass(frozen=True)
class PredictionPlan:
    """Frozen description of a tiled prediction; serializable to JSON.

    All fields but `model_name`, `settings` and `warnings` decide the pixels and make up the
    fingerprint.

    Parameters
    ----------
    input_axes, input_shape, input_dtype, input_fingerprint : str, tuple of int, str, str
        The image; the fingerprint is a hash of a few fixed blocks of its pixels.
    model_name, model_sha256, precision : str
        The model and the arithmetic it is run with.
    fold : str
        Axes folded into samples: out of ``"ZC"``.
    input_channels : tuple of int or None
        Channels that go to the model, or whose predictions are wanted where C is folded; None
        for all.
    output_channels : int or None
        Channels of the output; None for as many as the image has.
    region_selection : mapping
        `Region.to_json` of the part of the output that is wanted; empty for everything.
    patch_size, overlaps, alignment : tuple of int
        Tile grid along (Z)YX, in pixels.
    blending : str
        How tiles are joined: one of `BLENDINGS`.
    insets : tuple of int
        Pixels along (Z)YX that blending leaves out at the inner ends of each tile; empty where
        tiles are cropped.
    normalization : Normalization
        What is done to grey levels, and the image's statistics, frozen.
    output_dtype : str
        dtype of the output array.
    tta : str
        Test-time augmentation: one of `TTA`.
    inside : KeptTiles or None
        Which tiles of the region are predicted; None for all. Plans without it have the
        fingerprint that they had before there was such a thing.
    hot_pixels : HotPixels or None
        How isolated outliers are told, which are replaced before statistics and model see them;
        None where they are kept.
    camera_offset, camera_gain : float or None
        Grey level of no light, and grey levels per photo-electron: what the model works in; None
        for 0 and 1.
    """

    input_axes: str
    input_shape: tuple[int, ...]
    input_dtype: str
    input_fingerprint: str
    model_name: str
    model_sha256: str
    precision: str
    fold: str
    input_channels: tuple[int, ...] | None
    output_channels: int | None
    region_selection: Mapping[str, Any]
    patch_size: tuple[int, ...]
    overlaps: tuple[int, ...]
    alignment: tuple[int, ...]
    blending: str
    normalization: Normalization
    output_dtype: str
    tta: str = "none"
    insets: tuple[int, ...] = ()
    inside: KeptTiles | None = None
    hot_pixels: HotPixels | None = None
    camera_offset: float | None = None
    camera_gain: float | None = None
    settings: RunSettings = field(default_factory=RunSettings, compare=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def layout(self) -> Layout:
        """The image folded as the model needs it, and its output."""
        return Layout(self.input_axes, self.input_shape, self.fold, self.output_channels)

    @cached_property
    def region(self) -> Region:
        """The part of the output that is wanted."""
        layout = self.layout
        return Region.from_json(layout.output_axes, layout.output_shape, self.region_selection)

    @cached_property
    def patching(self) -> TiledPatching:
        """The grid over the whole folded image."""
        return TiledPatching(
            [self.layout.view_shape], self.patch_size, self.overlaps, self.alignment
        )

    @cached_property
    def tiles(self) -> TileArea:
        """The tiles that meet the region, those that are skipped included."""
        return TileArea(self.layout, self.region, self.patching, self.inside)

    @property
    def total_tiles(self) -> int:
        """Number of tiles to predict: of ``tiles.n_tiles`` those that are not skipped."""
        return self.tiles.n_predicted

    @property
    def skipped(self) -> NDArray[np.bool_] | None:
        """Of each of ``tiles.n_tiles`` tiles whether it is skipped; None where none is."""
        return self.tiles.skipped

    @property
    def output_bytes(self) -> int:
        """Size of the output, uncompressed."""
        pixels = np.prod(self.region.selected_shape, dtype=np.int64)
        return int(pixels) * np.dtype(self.output_dtype).itemsize

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything that decides the pixels."""
        text = json.dumps(self._deciding(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _deciding(self) -> dict[str, Any]:
        values: dict[str, Any] = {"version": self._version}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name in _UNDECIDING or (name in _OPTIONAL and value is None):
                continue
            plain = isinstance(value, Normalization | KeptTiles | HotPixels)
            values[name] = value.to_json() if plain else value
        deciding: dict[str, Any] = json.loads(json.dumps(values))
        return deciding

    @property
    def _version(self) -> int:
        camera = (self.hot_pixels, self.camera_offset, self.camera_gain)
        if any(option is not None for option in camera):
            return VERSION_CAMERA
        return PLAN_VERSION if self.inside is None else VERSION_INSIDE

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: what decides the pixels, the run settings, the model's name."""
        return {
            "fingerprint_of": self._deciding(),
            "settings": asdict(self.settings),
            "model_name": self.model_name,
        }

    def to_json(self) -> str:
        """The plan as JSON text."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_json(cls, text: str) -> PredictionPlan:
        """Read a plan from JSON text.

        Raises
        ------
        PlanError
            If the text is no plan, or one of another version.
        """
        try:
            data = json.loads(text)
            values = dict(data["fingerprint_of"])
            version = values.pop("version")
            if version not in (PLAN_VERSION, VERSION_INSIDE, VERSION_CAMERA):
                raise PlanError(
                    f"the plan is of version {version}, this software reads {PLAN_VERSION} to "
                    f"{VERSION_CAMERA}; make the plan again",
                    "plan",
                )
            values["normalization"] = Normalization.from_json(values["normalization"])
            if "inside" in values:
                values["inside"] = KeptTiles.from_json(values["inside"])
            if "hot_pixels" in values:
                values["hot_pixels"] = HotPixels.from_json(values["hot_pixels"])
            for name, value in values.items():
                if isinstance(value, list):
                    values[name] = tuple(value)
            plan = cls(
                **values,
                model_name=str(data["model_name"]),
                settings=RunSettings(**data["settings"]),
            )
            if plan._version != version:
                raise ValueError(f"version {version} of what is one of {plan._version}")
            plan._check()
            return plan
        except PlanError:
            raise
        except _DAMAGED as error:
            what = str(error) or type(error).__name__
            raise PlanError(
                f"this is no prediction plan, or a damaged one ({what}): give the JSON that a run "
                "wrote",
                "plan",
            ) from error

    def _check(self) -> None:
        """Raise ValueError unless the values go together: a plan may come from anywhere."""
        if self.blending not in BLENDINGS:
            raise ValueError(f"blending {self.blending!r}")
        if self.blending != "crop":
            for axis, inset in zip(self.patching.axes(0), self.insets, strict=True):
                AxisWindows(axis, inset, self.blending)
        if self.tta not in TTA:
            raise ValueError(f"test-time augmentation {self.tta!r}")
        if np.dtype(self.output_dtype).kind not in "iuf":
            raise ValueError(f"output dtype {self.output_dtype!r}")
        # an OverflowError where there are more than can be counted
        if self.total_tiles < 1:
            raise ValueError(f"{self.total_tiles} tiles")
        checked_offset(self.camera_offset)
        checked_gain(self.camera_gain)
        own = self.layout.base.transformed_shape[1]
        if self.hot_pixels is not None:
            self.hot_pixels.check(own)
        check_channels(self.input_channels, own)
        for letter, axis in zip(self.layout.spatial_axes, self.patching.axes(0), strict=True):
            if axis.patch > axis.padded or not isinstance(self.region.along(letter), range):
                raise ValueError(f"patch size {letter} {axis.patch} for {axis.size} pixels")
        n_channels = own if self.input_channels is None else len(self.input_channels)
        self.normalization.check(first_sample(self.layout, self.region), n_channels)

    def with_settings(self, **settings: Any) -> PredictionPlan:
        """The same plan, run otherwise."""
        return replace(self, settings=replace(self.settings, **settings))

    def over(self, part: Region) -> PredictionPlan | None:
        """The same plan for a part of its region: same grid, same statistics, so the same pixels.

        Its tiles have numbers of their own, and its fingerprint is another one.

        Parameters
        ----------
        part : Region
            Of the region; along axes of space a range.

        Returns
        -------
        PredictionPlan or None
            None where all tiles of the part are skipped.
        """
        inside = self.inside
        if inside is not None:
            positions = {
                letter: np.searchsorted(self.region.along(letter), part.along(letter))
                for letter in self.layout.sample_sizes
            }
            grid = TileArea(self.layout, part, self.patching).grid
            for letter, own, tiles in zip(
                self.layout.spatial_axes, self.tiles.grid, grid, strict=True
            ):
                positions[letter] = np.arange(tiles.start, tiles.stop) - own.start
            inside = inside.among(positions)
            if inside is None:
                return None
        return replace(
            self,
            region_selection=part.to_json(),
            inside=None if inside is None or inside.keeps_all else inside,
        )
