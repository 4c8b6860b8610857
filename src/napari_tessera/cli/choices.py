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
