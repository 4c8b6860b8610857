"""What tiling needs to know about a model."""

from __future__ import annotations

from dataclasses import dataclass, field

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
