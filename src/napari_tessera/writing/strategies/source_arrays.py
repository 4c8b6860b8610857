"""Arrays named after the image they come from: ``in.zarr/a`` → ``in_output.zarr/a``."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import zarr
from zarr.storage import LocalStore

from napari_tessera.patching import is_tile_specs
from napari_tessera.region import Region
from napari_tessera.stacks.opening.location import parse_location
from napari_tessera.writing.chunks.chunking import choose_chunking
from napari_tessera.writing.ome.arrays import create_pixel_array
from napari_tessera.writing.ome.metadata import LEVEL
from napari_tessera.writing.region_data import ImageRegionData, layout_of
from napari_tessera.writing.stored.tile_sink import TileSink


def output_location(dirpath: Path, source: str | Path) -> tuple[Path, str]:
    """Find the store and the path in it for the prediction of an image.

    Parameters
    ----------
    dirpath : pathlib.Path
        Folder that the store goes into.
    source : str or pathlib.Path
        Where the image came from: ``in.zarr/group/array``, ``in.zarr.zip#group/array``,
        ``file.h5#/path``, ``file.czi#scene``, ``file.tif``, ``"array"``, ``"layer:NAME"``, each
        of a lower resolution with ``", level 1"`` after it.

    Returns
    -------
    store : pathlib.Path
        ``dirpath/NAME_output.zarr``, for a lower resolution ``dirpath/NAME_level1_output.zarr``.
    path : str
        The array's path in the image's own store, or the name of the scene; ``"0"`` where the
        image is all that the file or store holds.
    """
    text, comma, level = str(source).rpartition(", level ")
    if not comma or not level.isdecimal():
        text, level = str(source), ""
    location = parse_location(text)
    file, part = text, location.part
    if part is not None:
        file = text[: -len(part) - 1]
    elif location.path is not None and not location.path.exists():
        # of what is not there, or no more, the first part of a name that has an ending
        file, part = _split_unseen(text)
    file = file.removeprefix("file://").replace("\\", "/")
    parts = PurePosixPath(file).parts
    for at, name in enumerate(parts):
        if name.lower().endswith((".zarr", ".zarr.zip")):
            stem = re.sub(r"\.zarr(\.zip)?$", "", name, flags=re.IGNORECASE)
            inner = "/".join((*parts[at + 1 :], *(part or "").strip("/").split("/")))
            return _store(dirpath, stem, level), inner.strip("/") or LEVEL
    name = parts[-1] if parts else "array"
    if part is None or not part.strip("/"):
        return _store(dirpath, _without_tiff(name), level), LEVEL
    if part.startswith("/") or name.lower().endswith(".zip"):
        return _store(dirpath, PurePosixPath(name).stem, level), part.strip("/")
    return _store(dirpath, _without_tiff(name), level), _node_name(part)


def _split_unseen(text: str) -> tuple[str, str | None]:
    for match in re.finditer("#", text):
        if PurePosixPath(text[: match.start()]).suffix:
            return text[: match.start()], text[match.end() :]
    return text, None


def _without_tiff(name: str) -> str:
    return re.sub(r"\.(ome\.)?tiff?$", "", name, flags=re.IGNORECASE)


def _node_name(scene: str) -> str:
    """Name of one array for a scene, whose name may hold anything; others get other names."""
    plain = re.sub(r"[^\w.\- ]", lambda match: f"%{ord(match[0]):02X}", scene)
    return plain if plain.strip(".") else plain.replace(".", "%2E")


def _store(dirpath: Path, stem: str, level: str) -> Path:
    plain = re.sub(r"[^\w.\- ]+", "_", stem.removesuffix(".ome")).strip("_ ") or "array"
    plain = f"{plain}_level{level}" if level else plain
    return dirpath / f"{plain}_output.zarr"


class SourceArray:
    """The prediction of one image: an array of its whole shape, in its own axis order.

    Parameters
    ----------
    dirpath : pathlib.Path
        Folder that the store goes into; made where missing.
    first : ImageRegionData
        A tile of the image.
    dtype : numpy.dtype
        Data type that is written.
    overwrite : bool
        Replace an array that is there.
    chunks : sequence of int or None
        Chunk sizes along the last axes; None for `default_chunks`.
    memory_limit : int
        Bytes of begun chunks to keep in memory.

    Raises
    ------
    FileExistsError
        If an array is there and may not be replaced, or a group is.
    """

    def __init__(
        self,
        dirpath: Path,
        first: ImageRegionData,
        *,
        dtype: np.dtype[Any],
        overwrite: bool,
        chunks: tuple[int, ...] | None,
        memory_limit: int,
    ) -> None:
        layout = layout_of(first)
        region = Region.from_selection(layout.output_axes, layout.output_shape)
        specs = first.region_spec
        if not is_tile_specs(specs):
            raise ValueError(
                f"a region of {first.source} is no tile; WriteTilesZarr writes tiled predictions"
            )
        steps = dict(
            zip(layout.spatial_axes, (int(size) for size in specs["patch_size"]), strict=True)
        )
        store, path = output_location(dirpath, first.source)
        shape = region.selected_shape
        chunking = choose_chunking(region.axes, shape, steps, dtype, asked=chunks)
        parent, _, name = path.rpartition("/")
        group = zarr.open_group(LocalStore(store), mode="a", path=parent)
        found = group.get(name)
        if isinstance(found, zarr.Group):
            raise FileExistsError(f"{store / path} is a group: no array can be written there")
        if found is not None and not overwrite:
            raise FileExistsError(
                f"{store / path} exists: choose another folder, delete it, or give overwrite=True"
            )
        array = create_pixel_array(
            group,
            name,
            axes=region.axes,
            shape=shape,
            chunks=chunking.chunks,
            shards=chunking.shards,
            dtype=dtype,
            overwrite=overwrite,
        )
        self._sink = TileSink(array, layout, region, memory_limit=memory_limit)
        self._missing = int(specs["total_tiles"])

    def add(self, prediction: ImageRegionData) -> None:
        """Take a tile; after the last one of the image all is on disk."""
        specs = prediction.region_spec
        if not is_tile_specs(specs):
            raise ValueError(f"a region of {prediction.source} is no tile")
        self._sink.add(prediction, (specs["sample_idx"], tuple(specs["stitch_coords"])))
        self._sink.take_durable()
        self._missing -= 1
        if self._missing == 0:
            self.flush()

    def flush(self) -> None:
        """Write all chunks that are begun."""
        self._sink.flush()
        self._sink.take_durable()
