"""Predictions of whole samples, and one file for each image."""

from __future__ import annotations

from napari_tessera.patching import TileSpecs, is_tile_specs
from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.strategies.image_files import ImageFiles


class WriteImage(ImageFiles):
    """A write strategy for predictions that were not tiled: each is a whole sample.

    All samples of an image go into one file, along its own S and T; it is written when the last of
    them came. Takes patches of `WholeSamplePatching`, and tiles that cover their whole sample.
    For parameters and errors see `ImageFiles`.
    """

    def check(self, run: RunInfo) -> None:
        """Raise what hinders writing the file of a run; see `ImageFiles.check`.

        Raises
        ------
        ValueError
            If its samples are cut into tiles.
        """
        self._check_whole(run)
        super().check(run)

    @staticmethod
    def _check_whole(run: RunInfo) -> None:
        layout = run.layout
        sizes = dict(zip(layout.output_axes, layout.output_shape, strict=True))
        core = dict(zip(layout.output_axes, run.tile_index_block(0), strict=True))
        for letter in layout.spatial_axes:
            length = core[letter].stop - core[letter].start
            if length < sizes[letter]:
                raise ValueError(
                    f"{run.source} is predicted in tiles of {run.patch_size} along "
                    f"{layout.spatial_axes}, of {sizes[letter]} along {letter}: WriteImage takes "
                    "whole samples; use CachedTiles for tiles"
                )

    def _as_tile(self, prediction: ImageRegionData) -> ImageRegionData:
        samples, _, *space = (int(size) for size in prediction.data_shape)
        specs = prediction.region_spec
        if is_tile_specs(specs):
            whole = [int(size) for size in specs["crop_size"]] == space
        else:
            whole = not any(specs["coords"]) and list(prediction.data.shape[1:]) == space
        if not whole:
            raise ValueError(
                f"a prediction of {prediction.source} covers a part of its sample "
                f"{tuple(space)}: WriteImage takes whole samples; use CachedTiles for tiles"
            )
        if is_tile_specs(specs):
            return prediction
        run = self._run_of(prediction)
        return prediction._replace(
            region_spec=TileSpecs(
                data_idx=specs["data_idx"],
                sample_idx=specs["sample_idx"],
                coords=specs["coords"],
                patch_size=specs["patch_size"],
                crop_coords=(0,) * len(space),
                crop_size=tuple(space),
                stitch_coords=(0,) * len(space),
                # a run may leave some out
                total_tiles=samples if run is None else run.total_tiles,
            )
        )
