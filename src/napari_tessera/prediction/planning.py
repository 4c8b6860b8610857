"""From what people ask for to a plan: every "auto" decided, every setting checked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_tessera import models
from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.prediction.geometry import Sizes, resolve_overlaps, resolve_patch_size
from napari_tessera.prediction.normalization import KINDS
from napari_tessera.prediction.plan import PlanError, PredictionPlan, RunSettings
from napari_tessera.prediction.statistics import Subsample, measure
from napari_tessera.region import Region, Selection
from napari_tessera.stacks import ImageStack, open_stack
from napari_tessera.writing import resolve_output_dtype

if TYPE_CHECKING:
    from napari_tessera.models import Model

Wanted = dict[str, slice | int | Sequence[int]]
"""A region as people ask for it, in the image's axes."""

BLENDINGS = ("crop",)

SUSPICIOUS_FRACTION = 0.001
"""Share of zero or saturated pixels above which people are told."""

SUSPICIOUS_STRIPES = 0.2
"""Excess of the correlation along rows above which people are told that stripes will stay."""


def plan_prediction(
    stack: Any,
    model: Any,
    *,
    patch_size: Sizes = "auto",
    overlaps: Sizes = "auto",
    batch_size: Literal["auto"] | int = "auto",
    blending: str = "crop",
    region: Selection | None = None,
    normalization: str = "auto",
    output_dtype: str = "float32",
    reader_threads: int = 2,
    torch_threads: int | None = None,
) -> PredictionPlan:
    """Decide everything about a prediction.

    Parameters
    ----------
    stack : ImageStack
        The image, or anything that `open_stack` takes.
    model : Model
        The model, or anything that `load_model` takes. One with one input channel runs on each
        channel by itself; a 2D one on each plane of a volume by itself.
    patch_size, overlaps : "auto", int or sequence of int
        Tile size and total overlap of neighbours along (Z)YX, in pixels. ``"auto"`` overlaps are
        twice the model's reach rounded up to its period: tiles then join exactly.
    batch_size : "auto" or int
        Tiles that go through the model at once.
    blending : {"crop"}
        How tiles are joined: by their cores.
    region : mapping, optional
        What to predict: axis letter of the image to slice, int (the axis stays, with length 1)
        or sequence of int. Default: everything.
    normalization : {"auto", "time_point", "series", "none"}
        Where intensity statistics come from: each time point (a Z stack is one volume), the whole
        series, or nowhere (the model gets the grey levels as they are). ``"auto"``: each time
        point for built-in models and TorchScript files, none for modules and callables.
    output_dtype : str
        A dtype, or ``"input"`` for the image's own: rounded and clipped.
    reader_threads, torch_threads : int
        Threads that read ahead; threads of the model on a CPU (None: torch's choice).

    Returns
    -------
    PredictionPlan

    Raises
    ------
    PlanError
        A `ValueError` whose message names the value, the limit and the way out, and whose
        ``field`` names the setting.
    """
    stack, model = open_stack(stack), models.load_model(model)
    if blending not in BLENDINGS:
        raise PlanError(f"blending {blending!r} is not available; use 'crop'", "blending")
    input_dtype = np.dtype(stack.data_dtype)
    out_dtype = _output_dtype(output_dtype, input_dtype)
    selection: Wanted = dict(region or {})
    fold, input_channels, output_channels = _fold_and_channels(stack, model, selection)
    layout = Layout(stack.original_axes, tuple(stack.original_data_shape), fold, output_channels)
    area = _region(layout, selection)

    letters = layout.spatial_axes
    period = model.geometry.period
    spatial = layout.view_shape[2:]
    overlap = resolve_overlaps(overlaps, letters, spatial, model.geometry, patch_size)
    patch = resolve_patch_size(patch_size, letters, spatial, overlap, period)
    try:
        patching = TiledPatching([layout.view_shape], patch, overlap, period)
    except ValueError as error:
        field = "patch_size" if str(error).startswith("patch size") else "overlaps"
        raise PlanError(str(error), field) from None
    # What the grid really uses: no overlap where one tile covers an axis.
    patch = tuple(axis.patch for axis in patching.axes(0))
    overlap = tuple(axis.overlap for axis in patching.axes(0))
    settings = RunSettings(_batch_size(batch_size, model), reader_threads, torch_threads)

    samples = _base_samples(layout, area)
    kind = _normalization_kind(normalization, model)
    look = measure(stack, samples, input_channels, kind)
    return PredictionPlan(
        input_axes=layout.axes,
        input_shape=layout.shape,
        input_dtype=str(input_dtype),
        input_fingerprint=_fingerprint(stack),
        model_name=model.name,
        model_sha256=model.sha256,
        precision=model.precision,
        fold=fold,
        input_channels=input_channels,
        output_channels=output_channels,
        region_selection=area.to_json(),
        patch_size=patch,
        overlaps=overlap,
        alignment=tuple(period),
        blending=blending,
        normalization=look.normalization,
        output_dtype=str(out_dtype),
        settings=settings,
        warnings=(
            *model.warnings,
            *_overlap_warnings(letters, spatial, patch, overlap, model),
            *_image_warnings(look),
        ),
    )


def check_plan(plan: PredictionPlan, stack: ImageStack, model: Model) -> None:
    """Raise PlanError unless a plan was made for this image and this model."""
    theirs = {
        "axes": stack.original_axes,
        "shape": tuple(stack.original_data_shape),
        "dtype": str(np.dtype(stack.data_dtype)),
    }
    ours = {"axes": plan.input_axes, "shape": plan.input_shape, "dtype": plan.input_dtype}
    for name, value in theirs.items():
        if ours[name] != value:
            raise PlanError(
                f"the plan is for an image of {name} {ours[name]}, this one has {value}: make a "
                "plan for this image",
                "plan",
            )
    if plan.input_fingerprint != _fingerprint(stack):
        raise PlanError(
            "the plan is for an image with other pixels: make a plan for this image", "plan"
        )
    if plan.model_sha256 != model.sha256:
        raise PlanError(
            f"the plan is for the model {plan.model_name} ({plan.model_sha256[:12]}), this is "
            f"{model.name} ({model.sha256[:12]}): make a plan for this model",
            "plan",
        )


def _output_dtype(wanted: str, input_dtype: np.dtype[Any]) -> np.dtype[Any]:
    try:
        return resolve_output_dtype("same" if wanted == "input" else wanted, input_dtype)
    except ValueError as error:
        raise PlanError(str(error), "output_dtype") from None


def _fold_and_channels(
    stack: ImageStack, model: Model, selection: Wanted
) -> tuple[str, tuple[int, ...] | None, int | None]:
    """What is folded, the channels that go to the model, and the number that comes out.

    A selection of channels for a model that takes them together is taken out of ``selection``:
    it chooses input, not output.
    """
    axes, shape = stack.original_axes, tuple(stack.original_data_shape)
    if model.spatial_dims == 3 and "Z" not in axes:
        raise PlanError(
            f"the model {model.name} is 3D (ZYX), the image {axes} has no Z: use a 2D model, or "
            "name the depth axis Z",
            "model",
        )
    fold = "Z" if model.spatial_dims == 2 and "Z" in axes else ""
    n_channels = shape[axes.index("C")] if "C" in axes else 1
    made = model.geometry.out_channels
    if model.in_channels in (None, 1):
        if made == 1:
            return fold + ("C" if "C" in axes else ""), None, None
        if n_channels > 1:
            raise PlanError(
                f"the model {model.name} makes {made} channels of one, the image has "
                f"{n_channels}: open the image with one channel",
                "model",
            )
        return fold, None, made
    chosen: tuple[int, ...] | None = None
    if "C" in selection:
        picked = Region.from_selection(axes, shape, {"C": selection["C"]}).along("C")
        chosen, n_channels = tuple(picked), len(picked)
    if n_channels != model.in_channels:
        raise PlanError(
            f"the model {model.name} takes {model.in_channels} channels, the image has "
            f"{n_channels}: choose {model.in_channels} channels, or another model",
            "model",
        )
    selection.pop("C", None)
    return fold, chosen, made


def _region(layout: Layout, selection: Wanted) -> Region:
    for letter in selection:
        if letter not in layout.axes:
            raise PlanError(f"region names axis {letter!r}, the image has {layout.axes}", "area")
    try:
        area = Region.from_selection(
            layout.output_axes,
            layout.output_shape,
            selection,
        )
    except (ValueError, IndexError) as error:
        raise PlanError(str(error), "area") from None
    for letter in layout.spatial_axes:
        if not isinstance(area.along(letter), range):
            raise PlanError(
                f"region {letter}: scattered indices along an axis that tiles extend along; "
                "give a range",
                "area",
            )
    return area


def _base_samples(layout: Layout, area: Region) -> list[int]:
    """Samples of the unfolded image (S and T merged) that the region has."""
    size_t = layout.base.original_dim_sizes.get("T", 1)
    return [s * size_t + t for s in area.along("S") for t in area.along("T")]


def _normalization_kind(wanted: str, model: Model) -> str:
    if wanted == "auto":
        return str(model.default_normalization)
    if wanted not in KINDS:
        raise PlanError(
            f"normalization {wanted!r} is none of auto, {', '.join(KINDS)}", "normalization"
        )
    return wanted


def _batch_size(wanted: Literal["auto"] | int, model: Model) -> int:
    if wanted != "auto":
        return int(wanted)
    # On a CPU a batch only costs memory and cache; on an accelerator it hides launch times.
    return 1 if model.device.type == "cpu" else 4


def _overlap_warnings(
    letters: str,
    spatial: Sequence[int],
    patch: Sequence[int],
    overlaps: Sequence[int],
    model: Model,
) -> list[str]:
    reach = model.geometry.reach
    if reach is None:
        return [
            f"the model {model.name} looks at the whole tile: tiles cannot join exactly; larger "
            "tiles make seams rarer"
        ]
    return [
        f"overlap {letter} {overlap} is {overlap // 2} px each side, less than the {far} px that "
        "the model looks around: expect seams"
        for letter, size, p, overlap, far in zip(
            letters, spatial, patch, overlaps, reach, strict=True
        )
        if p < size and overlap // 2 < far
    ]


def _image_warnings(look: Subsample) -> list[str]:
    found = []
    for count, what, why in (
        (look.zeros, "0", "cut off below: dark areas may come out too bright"),
        (look.saturated, "saturated", "cut off above: bright areas may come out too dark"),
    ):
        share = count / max(1, look.pixels)
        if share > SUSPICIOUS_FRACTION:
            found.append(f"{share:.1%} of the pixels looked at are {what}: {why}")
    if look.row_correlation > SUSPICIOUS_STRIPES:
        found.append(
            "the noise of neighbours in a row is alike "
            f"(excess correlation {look.row_correlation:.2f}): stripes will stay or stand out"
        )
    return found


def _fingerprint(stack: ImageStack) -> str:
    """Hash of shape, dtype and a few fixed blocks of the first, middle and last sample."""
    shape = tuple(stack.data_shape)
    digest = hashlib.sha256(f"{shape} {np.dtype(stack.data_dtype)}".encode())
    size = tuple(min(64, s) if i >= len(shape) - 4 else 1 for i, s in enumerate(shape[2:]))
    size = (1, *size[1:]) if len(size) == 3 else size
    for sample in sorted({0, shape[0] // 2, shape[0] - 1}):
        for corner in (0.0, 0.5, 1.0):
            coords = tuple(int((s - b) * corner) for s, b in zip(shape[2:], size, strict=True))
            block = np.ascontiguousarray(stack.extract_patch(sample, None, coords, size))
            digest.update(block.tobytes())
    return digest.hexdigest()
