"""What tiling needs to know about a model."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from napari_tessera.models.sizes import ValidSizes


@dataclass(frozen=True)
class ModelGeometry:
    """How far a model looks, on which grid it works, and which sizes it takes.

    Parameters
    ----------
    reach : tuple of int, or None
        Farthest distance in pixels from which an input pixel changes an output pixel, along each
        spatial axis in (Z)YX. None where every input pixel changes every output pixel (or where
        more was seen than can be measured): no overlap makes tiles join exactly then.
    period : tuple of int
        Shifts by multiples of it, in pixels along each spatial axis, shift the output by as much
        and change nothing else. Tiles whose sizes are multiples of it are padded alike.
    out_channels : int
        Channels that come out.
    notes : tuple of str
        What people should know: one line each.
    output_scale : tuple of float
        Output pixels for one input pixel: 2 for a network that doubles the resolution. 1 by
        default.
    offset : tuple of int
        Pixels that the network itself loses at the near end (it has convolutions without padding);
        below 0 where it adds some. `Model` pads them, so tiles need not know. 0 by default.
    far_offset : tuple of int
        The same at the far end; as at the near end by default.
    sizes : ValidSizes
        Input sizes that the network itself takes, which `Model` pads to. Multiples of the period by
        default.
    """

    reach: tuple[int, ...] | None
    period: tuple[int, ...]
    out_channels: int
    notes: tuple[str, ...] = ()
    output_scale: tuple[float, ...] = ()
    offset: tuple[int, ...] = ()
    far_offset: tuple[int, ...] = ()
    sizes: ValidSizes = field(default_factory=lambda: ValidSizes((), (), ()))

    def __post_init__(self) -> None:
        dims = len(self.period)
        offset = self.offset or (0,) * dims
        defaults = {
            "output_scale": self.output_scale or (1.0,) * dims,
            "offset": offset,
            "far_offset": self.far_offset or offset,
            "sizes": self.sizes
            if self.sizes.minimum
            else ValidSizes(self.period, self.period, (None,) * dims),
        }
        for name, value in defaults.items():
            object.__setattr__(self, name, value)

    @property
    def is_global(self) -> bool:
        """Whether every input pixel changes every output pixel, as far as can be told."""
        return self.reach is None

    @property
    def keeps_size(self) -> bool:
        """Whether an output pixel is as large as an input pixel."""
        return all(scale == 1 for scale in self.output_scale)

    @property
    def largest_tile(self) -> tuple[int | None, ...]:
        """Largest tile that the model takes, in pixels; None where there is no limit."""
        return tuple(
            None if most is None else most - max(near, 0) - max(far, 0)
            for most, near, far in zip(
                self.sizes.maximum, self.offset, self.far_offset, strict=True
            )
        )

    def to_json(self) -> dict[str, Any]:
        """All of it in numbers, text, lists and dictionaries."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Any, spatial_dims: int) -> ModelGeometry | None:
        """What `to_json` made; None where it is anything else."""
        try:
            sizes = content["sizes"]
            reach = content["reach"]
            scale = tuple(float(s) for s in content["output_scale"])
            near, far = (
                _whole(content[name], spatial_dims, -(2**31)) for name in ("offset", "far_offset")
            )
            maximum = [None if n is None else int(n) for n in sizes["maximum"]]
            notes = tuple(str(note) for note in content["notes"])
            found = cls(
                None if reach is None else _whole(reach, spatial_dims, 0),
                _whole(content["period"], spatial_dims, 1),
                int(content["out_channels"]),
                notes,
                scale,
                near,
                far,
                ValidSizes(
                    _whole(sizes["minimum"], spatial_dims, 1),
                    _whole(sizes["step"], spatial_dims, 0),
                    tuple(maximum),
                ),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        is_whole = len(scale) == len(maximum) == spatial_dims and found.out_channels > 0
        return found if is_whole and all(0 < s < math.inf for s in scale) else None


def _whole(values: Any, count: int, least: int) -> tuple[int, ...]:
    if len(values) != count or any(type(n) is not int or n < least for n in values):
        raise ValueError(f"{values} are not {count} numbers from {least} on")
    return tuple(values)
