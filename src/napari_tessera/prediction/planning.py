"""From what people ask for to a plan: every "auto" decided, every setting checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_tessera import models
from napari_tessera.layout import Layout
from napari_tessera.patching import TiledPatching
from napari_tessera.patching.windows import blending_insets
from napari_tessera.prediction.advice import image_warnings, overlap_warnings
from napari_tessera.prediction.area import TileArea
from napari_tessera.prediction.auto_batch import batch_for
from napari_tessera.prediction.auto_tiles import TileLimits
from napari_tessera.prediction.camera import Camera
from napari_tessera.prediction.camera_numbers import checked_gain, checked_offset
from napari_tessera.prediction.channels import Wanted, fold_and_channels
from napari_tessera.prediction.cleaned_stack import hot_pixels_of
from napari_tessera.prediction.cores import reading_threads
from napari_tessera.prediction.geometry import (
    Sizes,
    check_fixed,
    check_largest,
    check_room,
    cut_to_image,
    is_auto,
    resolve_overlaps,
    resolve_patch_size,
    whole_number,
)
from napari_tessera.prediction.hot_pixels import CHOICES
from napari_tessera.prediction.inside.deciding import kept_tiles
from napari_tessera.prediction.intensity import IntensityRanges
from napari_tessera.prediction.look import look_at
from napari_tessera.prediction.matching import image_fingerprint
from napari_tessera.prediction.normalization import MEASURED
from napari_tessera.prediction.plan import (
    BLENDINGS,
    TTA,
    PlanError,
    PredictionPlan,
    RunSettings,
    check_choice,
)
from napari_tessera.prediction.precision import planned_precision
from napari_tessera.prediction.seams import SeamBook
from napari_tessera.prediction.turns import turnable
from napari_tessera.region import Region, Selection
from napari_tessera.stacks.opened import opened
from napari_tessera.writing import resolve_output_dtype

if TYPE_CHECKING:
    from napari_tessera.models import ChannelModels, Model


def plan_prediction(
    stack: Any,
    model: Any,
    *,
    patch_size: Sizes = "auto",
    overlaps: Sizes = "auto",
    batch_size: Literal["auto"] | int = "auto",
    blending: str = "auto",
    region: Selection | None = None,
    inside: Any = None,
    normalization: str = "auto",
    statistics: str = "sample",
    tta: str = "none",
    hot_pixels: str = "keep",
    camera_offset: float | None = None,
    camera_gain: float | None = None,
    output_dtype: str = "float32",
    reader_threads: int | None = None,
    torch_threads: int | None = None,
    seams: SeamBook | None = None,
) -> PredictionPlan:
    """Decide everything about a prediction.

    Parameters
    ----------
    stack : ImageStack
        The image, or anything that `open_stack` takes: what is opened here is closed again.
    model : Model
        The model, or anything that `load_model` takes. One with one input channel runs on each
        channel by itself; a 2D one on each plane of a volume by itself. Where each channel has
        a model of its own, channels without one are not predicted.
    patch_size, overlaps : "auto", int or sequence of int
        Tile size and total overlap of neighbours along (Z)YX, in pixels; of a model that takes one
        size only, that one. ``"auto"`` overlaps are
        twice the model's reach rounded up to its period: tiles then join exactly. ``"auto"`` tiles
        are those with the least work in all, overlap counted, that the device's memory holds.
    batch_size : "auto" or int
        Tiles that go through the model at once.
    blending : {"auto", "crop", "linear", "gaussian"}
        How tiles are joined: by their cores, or as weighted sums where they overlap. ``"auto"``:
        by their cores, which is exact, and linear for a model that looks at the whole tile.
    region : mapping, optional
        What to predict: axis letter of the image to slice, int (the axis stays, with length 1)
        or sequence of int, ascending. Default: everything. C chooses input channels, in the order
        given, for a model that takes several together; else output channels.
    inside : sequence, array-like or anything that `open_stack` takes, optional
        Only tiles that meet it are predicted; the result keeps the region's shape, and is NaN (of
        integers 0) elsewhere. Shapes: a list of polygons, each a list of (Y, X) in pixels, or of
        `Outline` (ellipses, paths, shapes of one plane). Or a mask, not 0 inside, over the image's
        own axes or the last ones of these: one plane holds for all planes, time points and
        channels. Intensity statistics are those of the whole region all the same, so that
        a tile has the pixels that it has in a run over everything.
    normalization : {"auto", "model", "time_point", "series", "none"}
        Where intensity statistics come from: the model's own numbers, each time point of the
        image (a Z stack is one volume), the whole series, or nowhere (the model gets the grey
        levels as they are). ``"auto"``: as the model's file says; where it says nothing, each
        time point for built-in models and files, none for modules and callables. Where the image
        is named, its statistics take the place of the model's own.
    statistics : {"sample", "exact"}
        Whether statistics of the image are taken of a fixed subsample, or of every pixel in one
        pass before the first tile.
    tta : {"none", "mean", "median", "disagreement"}
        Test-time augmentation: each tile is predicted in its 8 flips and quarter turns of Y and
        X, and the mean or median of these is the result; 8 times slower. ``"disagreement"``
        is their standard deviation, in grey levels: it shows where the model is unstable, not
        where it is wrong.
    hot_pixels : {"keep", "replace"}
        Whether isolated outliers, as hot and dead pixels of a camera are, are replaced by the
        median of their 8 neighbours before statistics and model see them (see
        `without_hot_pixels`).
    camera_offset, camera_gain : float, optional
        Grey level of no light, and grey levels per photo-electron: the model gets
        (grey level − offset) / gain, and its prediction becomes grey levels again. For models that
        were trained in photo-electrons; numbers of others that come from the image take both out
        anyway.
    output_dtype : str
        A dtype, or ``"input"`` for the image's own: rounded and clipped.
    reader_threads, torch_threads : int
        Threads that read ahead (None: as many as this process has cores, but for one, and 8 at
        most; 8 from a server); threads of the model on a CPU (None: one where a network has next to
        nothing to compute, else torch's choice).
    seams : SeamBook, optional
        Heights of seams measured for earlier plans: one that is known is not measured again.

    Returns
    -------
    PredictionPlan

    Raises
    ------
    PlanError
        A `ValueError` whose message names the value, the limit and the way out, and whose
        ``field`` names the setting.
    """
    with opened(stack) as image:
        model = models.load_model(model)
        joining = _blending(blending, model)
        check_choice(tta, TTA, "tta", "test-time augmentation")
        check_choice(statistics, MEASURED, "statistics", "statistics")
        check_choice(hot_pixels, CHOICES, "hot_pixels", "hot pixels")
        offset = _number(checked_offset, camera_offset, "camera_offset")
        gain = _number(checked_gain, camera_gain, "camera_gain")
        input_dtype = np.dtype(image.data_dtype)
        out_dtype = _output_dtype(output_dtype, input_dtype)
        if tta == "disagreement" and out_dtype.kind != "f":
            raise PlanError(
                f"the disagreement of flips is no image: {out_dtype} would cut it to whole grey "
                "levels; use output_dtype='float32'",
                "output_dtype",
            )
        if not isinstance(region, Mapping | None):
            raise PlanError(f"region {region!r} is no mapping; give {{'Y': slice(0, 100)}}", "area")
        selection: Wanted = dict(region or {})
        fold, input_channels, output_channels = fold_and_channels(image, model, selection)
        layout = Layout(
            image.original_axes, tuple(image.original_data_shape), fold, output_channels
        )
        area = _region(layout, selection)

        letters = layout.spatial_axes
        geometry = model.geometry if tta == "none" else turnable(model.geometry)
        period = geometry.period
        spatial = layout.view_shape[2:]
        together = 1 if is_auto(batch_size) else resolve_batch_size(batch_size, model, ())
        limits = TileLimits(model, letters, together)
        overlap = resolve_overlaps(overlaps, letters, spatial, geometry, patch_size, limits.edges)
        patch = resolve_patch_size(patch_size, letters, spatial, overlap, geometry, limits)
        if not is_auto(patch_size):
            check_fixed(patch, letters, spatial, geometry)
        if is_auto(overlaps) and not is_auto(patch_size):
            check_room(patch, overlap, letters, spatial, period)
        try:
            TiledPatching([layout.view_shape], patch, overlap, period)
        except ValueError as error:
            field = "patch_size" if str(error).startswith("patch size") else "overlaps"
            raise PlanError(str(error), field) from None
        patch, overlap = cut_to_image(patch, overlap, spatial, period)
        check_largest(patch, letters, geometry)
        batch = resolve_batch_size(batch_size, model, patch)
        tiles = TileArea(layout, area, TiledPatching([layout.view_shape], patch, overlap, period))
        kept = None if inside is None else kept_tiles(tiles, inside)
        n_predicted = tiles.n_tiles if kept is None else kept.share_of(tiles.n_tiles)
        settings = RunSettings(
            min(batch, n_predicted),
            reading_threads(stack=image)
            if reader_threads is None
            else whole_number(reader_threads, "threads"),
            None if torch_threads is None else whole_number(torch_threads, "threads"),
        )
        hot = hot_pixels_of(image) if hot_pixels == "replace" else None
        look = look_at(
            image,
            layout,
            area,
            input_channels,
            model,
            normalization,
            statistics,
            hot_pixels=hot,
            camera=Camera.of_numbers(offset, gain),
        )
        plan = PredictionPlan(
            input_axes=layout.axes,
            input_shape=layout.shape,
            input_dtype=str(input_dtype),
            input_fingerprint=image_fingerprint(image),
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
            blending=joining,
            normalization=look.normalization,
            output_dtype=str(out_dtype),
            tta=tta,
            insets=() if joining == "crop" else blending_insets(overlap, geometry.reach),
            inside=kept,
            hot_pixels=hot,
            camera_offset=offset,
            camera_gain=gain,
            settings=settings,
        )
        IntensityRanges(plan, model).check()
        plan = replace(plan, precision=planned_precision(plan, image, model))
        is_outline = getattr(image, "is_outline", False)
        if not is_outline:
            # of an outline nothing is run: a GPU's memory is left alone
            from napari_tessera.models.threads import own_threads

            with own_threads(settings.torch_threads):
                for replica in model.replicas:
                    replica.in_precision(plan.precision).get_ready()
        unseen = look.nonfinite == look.pixels
        book = seams or SeamBook()
        seam = None if unseen else book.height(plan, image, model, geometry.reach)
        return replace(
            plan,
            warnings=(
                *model.warnings,
                *overlap_warnings(
                    letters, spatial, patch, overlap, model.name, geometry.reach, seam
                ),
                # of an outline, which stands for pixels that are not read yet, nothing is said
                *(() if is_outline else image_warnings(look)),
            ),
        )


def _output_dtype(wanted: str, input_dtype: np.dtype[Any]) -> np.dtype[Any]:
    if wanted is None:
        raise PlanError("output dtype None is no dtype; use 'float32' or 'input'", "output_dtype")
    try:
        return resolve_output_dtype("same" if wanted == "input" else wanted, input_dtype)
    except ValueError as error:
        raise PlanError(str(error), "output_dtype") from None


def _number(checked: Callable[[object], float | None], value: object, field: str) -> float | None:
    try:
        return checked(value)
    except ValueError as error:
        raise PlanError(str(error), field) from None


def _region(layout: Layout, selection: Wanted) -> Region:
    for letter in selection:
        if letter not in tuple(layout.axes):
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


def _blending(wanted: str, model: Model) -> str:
    if wanted == "auto":
        return "linear" if model.geometry.reach is None else "crop"
    if wanted not in BLENDINGS:
        raise PlanError(
            f"blending {wanted!r} is not available; use auto, {', '.join(BLENDINGS[:-1])} or "
            f"{BLENDINGS[-1]}",
            "blending",
        )
    return wanted


def resolve_batch_size(
    wanted: str | int, model: Model | ChannelModels, patch_size: Sequence[int]
) -> int:
    """Tiles that go through a model at once, where there are as many.

    Parameters
    ----------
    wanted : "auto" or int
        What is asked for.
    model : Model or ChannelModels
        The model, on its device.
    patch_size : sequence of int
        Tile size along (Z)YX, in pixels, that an automatic number is for.

    Raises
    ------
    PlanError
        If it is no whole number from 1 on.
    """
    if is_auto(wanted):
        return batch_for(model, patch_size)
    return whole_number(wanted, "batch_size")
