"""The patching strategy that a configuration describes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, assert_never

from napari_tessera.patching.checks import SPATIAL, check_data_shapes, check_patch_in_stack
from napari_tessera.patching.configs import (
    FixedPatchingConfig,
    FixedRandomPatchingConfig,
    PatchingConfig,
    RandomPatchingConfig,
    SequentialPatchingConfig,
    StratifiedPatchingConfig,
    TiledPatchingConfig,
    WholePatchingConfig,
    patching_config_from_dict,
)
from napari_tessera.patching.fixed import FixedPatching
from napari_tessera.patching.protocol import Patching
from napari_tessera.patching.random import FixedRandomPatching, RandomPatching
from napari_tessera.patching.sequential import SequentialPatching
from napari_tessera.patching.stratified.strategy import StratifiedPatching
from napari_tessera.patching.tiled import TiledPatching
from napari_tessera.patching.types import PatchSpecs, is_tile_specs
from napari_tessera.patching.whole import WholeSamplePatching


def create_patching(
    data_shapes: Iterable[Iterable[int]], patching_config: PatchingConfig | Mapping[str, Any]
) -> Patching:
    """Patching strategy for image stacks of these shapes.

    Parameters
    ----------
    data_shapes : iterable of iterable of int
        Shape of each image stack, ``SC(Z)YX``.
    patching_config : PatchingConfig or mapping
        One of the configurations of this package, or a dict that `patching_config_from_dict`
        makes one of.

    Raises
    ------
    ValueError
        If the configuration is wrong, or does not suit the image stacks: naming the axis, the
        values and what would do.
    """
    shapes = check_data_shapes(data_shapes)
    config = (
        patching_config_from_dict(patching_config)
        if not isinstance(patching_config, PatchingConfig)
        else patching_config
    )
    match config:
        case TiledPatchingConfig():
            return TiledPatching(shapes, config.patch_size, config.overlaps, config.alignment)
        case WholePatchingConfig():
            return WholeSamplePatching(shapes)
        case RandomPatchingConfig():
            return RandomPatching(shapes, config.patch_size, config.seed)
        case FixedRandomPatchingConfig():
            return FixedRandomPatching(shapes, config.patch_size, config.seed)
        case StratifiedPatchingConfig():
            return StratifiedPatching(shapes, config.patch_size, config.seed)
        case SequentialPatchingConfig():
            return SequentialPatching(shapes, config.patch_size, config.overlaps)
        case FixedPatchingConfig():
            _check_specs_fit(config.fixed_patch_specs, shapes)
            return FixedPatching(config.fixed_patch_specs)
        case _:
            assert_never(config)


def _check_specs_fit(specs: Sequence[PatchSpecs], shapes: Sequence[tuple[int, ...]]) -> None:
    """Check that the image stack and sample of each specification are there, and its patch fits."""
    for i, spec in enumerate(specs):
        data_idx, sample_idx, patch_size = spec["data_idx"], spec["sample_idx"], spec["patch_size"]
        if data_idx >= len(shapes):
            raise ValueError(
                f"patch spec {i}: data_idx {data_idx} is outside 0…{len(shapes) - 1}; give the "
                f"shape of that image stack too, or leave the patch out"
            )
        shape = shapes[data_idx]
        if sample_idx >= shape[0]:
            raise ValueError(
                f"patch spec {i}: sample_idx {sample_idx} is outside 0…{shape[0] - 1} of image "
                f"stack {data_idx}; leave the patch out"
            )
        if len(patch_size) != len(shape) - 2:
            raise ValueError(
                f"patch spec {i}: patch size {tuple(patch_size)} has {len(patch_size)} numbers, "
                f"image stack {data_idx} {len(shape) - 2} spatial axes: give "
                f"{SPATIAL[len(shape) - 2]}"
            )
        if not is_tile_specs(spec):
            try:
                check_patch_in_stack(patch_size, shape, data_idx)
            except ValueError as error:
                raise ValueError(f"patch spec {i}: {error}") from None
