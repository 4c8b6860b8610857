"""Everything that is known of a model, to be shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from napari_tessera.models.about import About
from napari_tessera.models.sizes import ValidSizes


@dataclass(frozen=True)
class ModelInfo:
    """What a loaded model knows of itself.

    Sizes and distances are in pixels along (Z)YX.

    Parameters
    ----------
    name, format, source, sha256 : str
        What people call it; what it was loaded from (``"CAREamics checkpoint 0.3"``); a path,
        ``builtin:NAME`` or ``python:NAME``; hash of what decides its output.
    spatial_dims : int
        2 or 3.
    in_channels : int or None
        None where it takes any number.
    out_channels : int
        Channels that come out.
    dtype : str
        Type of the numbers that the network itself takes, by its file.
    precision : str
        Precision that it was asked to compute in: ``"float32"``, or that of PyTorch's autocast. A
        program whose ``dtype`` is another floating-point type computes in that.
    normalization : str
        What is done to grey levels unless told otherwise, in words.
    sizes : ValidSizes
        Input sizes that the network itself takes. Others are padded to them.
    reach : tuple of int, or None
        How far it looks; None where it looks everywhere.
    period : tuple of int
        Grid on which it works.
    output_scale : tuple of float
        Output pixels for one input pixel.
    offset, far_offset : tuple of int
        Pixels that the network itself loses at the near and at the far end.
    parameters : int or None
        Number of weights; None where it cannot be known.
    about : About
        Licence, authors, citations.
    own_test : str
        Result of the test that a package brings, in one line; ``"not run"``; ``"none"`` where it
        brings none.
    warnings : tuple of str
        What people should know: one line each.
    preparation : str
        What was done to the network for speed, in words.
    """

    name: str
    format: str
    source: str
    sha256: str
    spatial_dims: int
    in_channels: int | None
    out_channels: int
    dtype: str
    precision: str
    normalization: str
    sizes: ValidSizes
    reach: tuple[int, ...] | None
    period: tuple[int, ...]
    output_scale: tuple[float, ...]
    offset: tuple[int, ...]
    far_offset: tuple[int, ...]
    parameters: int | None
    about: About
    own_test: str
    warnings: tuple[str, ...]
    preparation: str = ""

    @property
    def is_global(self) -> bool:
        """Whether every input pixel changes every output pixel."""
        return self.reach is None

    @property
    def numbers(self) -> str:
        """What it takes and computes in: ``"float32"``, ``"takes uint8, computes in float32"``."""
        if self.dtype == self.precision:
            return self.dtype
        is_float = self.dtype.startswith(("float", "bfloat"))
        if is_float and self.dtype != "float32" and self.precision == "float32":
            # nothing is cast inside a program that is made for another type
            return self.dtype
        return f"takes {self.dtype}, computes in {self.precision}"

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON takes it; ``is_global`` and ``numbers`` too, and axes as lists."""
        return {**_plain(asdict(self)), "is_global": self.is_global, "numbers": self.numbers}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
