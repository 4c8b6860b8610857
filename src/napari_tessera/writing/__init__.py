"""Where predictions go."""

from napari_tessera.writing.array_writer import ArrayWriter
from napari_tessera.writing.chunks.assembler import ChunkAssembler
from napari_tessera.writing.convert import fill_value, resolve_output_dtype, to_dtype
from napari_tessera.writing.files.any_format import write_file
from napari_tessera.writing.files.formats import FORMATS, FileFormat, format_named, format_of
from napari_tessera.writing.files.imagej_tiff import write_imagej_tiff
from napari_tessera.writing.files.npy import write_npy
from napari_tessera.writing.files.ome_tiff import write_ome_tiff
from napari_tessera.writing.files.ome_zarr import write_ome_zarr
from napari_tessera.writing.region_data import ImageRegionData
from napari_tessera.writing.run_info import RunInfo
from napari_tessera.writing.stitch import stitch_prediction, stitch_single_prediction
from napari_tessera.writing.stored.ledger import Ledger
from napari_tessera.writing.stored.stored_run import StoredRun, read_unfinished
from napari_tessera.writing.stored.targets import check_target
from napari_tessera.writing.strategies.cached_tiles import CachedTiles
from napari_tessera.writing.strategies.file_names import common_source_base
from napari_tessera.writing.strategies.write_image import WriteImage
from napari_tessera.writing.strategies.zarr_tiles import WriteTilesZarr
from napari_tessera.writing.strategy import WriteStrategy

__all__ = [
    "FORMATS",
    "ArrayWriter",
    "CachedTiles",
    "ChunkAssembler",
    "FileFormat",
    "ImageRegionData",
    "Ledger",
    "RunInfo",
    "StoredRun",
    "WriteImage",
    "WriteStrategy",
    "WriteTilesZarr",
    "check_target",
    "common_source_base",
    "fill_value",
    "format_named",
    "format_of",
    "read_unfinished",
    "resolve_output_dtype",
    "stitch_prediction",
    "stitch_single_prediction",
    "to_dtype",
    "write_file",
    "write_imagej_tiff",
    "write_npy",
    "write_ome_tiff",
    "write_ome_zarr",
]
