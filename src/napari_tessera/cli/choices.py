"""What may be typed after options that take one of a few words."""

from __future__ import annotations

from enum import StrEnum


class Precision(StrEnum):
    """Choices of ``--precision``."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class ProgressStyle(StrEnum):
    """Choices of ``--progress``."""

    bar = "bar"
    json = "json"
    none = "none"


class OutputType(StrEnum):
    """Choices of ``--output-dtype``."""

    float32 = "float32"
    input = "input"


class IntensityRange(StrEnum):
    """Choices of ``--normalization``."""

    auto = "auto"
    model = "model"
    time_point = "time_point"
    series = "series"
    none = "none"


class Measuring(StrEnum):
    """Choices of ``--statistics``."""

    sample = "sample"
    exact = "exact"


class Blending(StrEnum):
    """Choices of ``--blending``."""

    auto = "auto"
    crop = "crop"
    linear = "linear"
    gaussian = "gaussian"


class Augmentation(StrEnum):
    """Choices of ``--tta``."""

    none = "none"
    mean = "mean"
    median = "median"
    disagreement = "disagreement"


class HotPixels(StrEnum):
    """Choices of ``--hot-pixels``."""

    kept = "keep"
    replaced = "replace"


class SaveFormat(StrEnum):
    """Choices of ``--format``."""

    ome_zarr = "ome-zarr"
    ome_tiff = "ome-tiff"
    tiff = "tiff"
    npy = "npy"


class Compression(StrEnum):
    """Choices of ``--compression``; each format has some of them."""

    zstd = "zstd"
    lz4 = "lz4"
    gzip = "gzip"
    zlib = "zlib"
    lzw = "lzw"
    none = "none"


class OmeVersion(StrEnum):
    """Choices of ``--ome-version``."""

    v05 = "0.5"
    v04 = "0.4"
