"""What an image says of itself besides its pixels."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.axes import validate_axes


@dataclass(frozen=True)
class ImageMetadata:
    """Axes, pixel size, units, and names and colours of the channels of an image.

    Parameters
    ----------
    axes : str
        Letters out of ``STCZYX`` in the image's order.
    scale : tuple of float, optional
        Size of one step along each axis, in that axis' unit; 1.0 where unknown.
    units : tuple of str or None, optional
        Unit of each axis (``"micrometer"``, ``"second"``); None where unknown.
    translation : tuple of float, optional
        Where index 0 of each axis lies, in that axis' unit.
    channel_names : tuple of str, optional
        A name for each channel.
    channel_colors : tuple of str, optional
        For each channel the colour of its brightest pixels, six hexadecimal digits: ``"FF0000"``.

    Raises
    ------
    ValueError
        If the lengths disagree.
    """

    axes: str
    scale: tuple[float, ...] | None = None
    units: tuple[str | None, ...] | None = None
    translation: tuple[float, ...] | None = None
    channel_names: tuple[str, ...] | None = None
    channel_colors: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        validate_axes(self.axes)
        for name in ("scale", "units", "translation"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.axes):
                raise ValueError(
                    f"{name} {values} has {len(values)} entries, the axes {self.axes} "
                    f"{len(self.axes)}: give one per axis"
                )

    def along(self, letter: str) -> tuple[float, str | None, float]:
        """Scale, unit and translation along one axis (1.0, None, 0.0 where unknown)."""
        if letter not in self.axes:
            return 1.0, None, 0.0
        at = self.axes.index(letter)
        return (
            self.scale[at] if self.scale else 1.0,
            self.units[at] if self.units else None,
            self.translation[at] if self.translation else 0.0,
        )

    def with_axes(self, axes: str) -> ImageMetadata:
        """The same metadata for other axes: known letters keep theirs, new ones get defaults."""
        return self._of(axes, set(self.axes))

    def renamed(self, axes: str) -> ImageMetadata:
        """The same metadata where the axes, in their order, are called by other letters.

        Nothing is known of an axis that gets another letter: a step in time that is taken as
        depth has no length, and not that of another axis which was called Z.

        Raises
        ------
        ValueError
            If there are more or fewer letters.
        """
        kept = {letter for letter, own in zip(axes, self.axes, strict=True) if letter == own}
        return self._of(axes, kept)

    def _of(self, axes: str, known: set[str]) -> ImageMetadata:
        steps = [self.along(letter) if letter in known else (1.0, None, 0.0) for letter in axes]
        return ImageMetadata(
            axes=axes,
            scale=tuple(scale for scale, _, _ in steps) if self.scale else None,
            units=tuple(unit for _, unit, _ in steps) if self.units else None,
            translation=tuple(at for _, _, at in steps) if self.translation else None,
            channel_names=self.channel_names if "C" in axes and "C" in known else None,
            channel_colors=self.channel_colors if "C" in axes and "C" in known else None,
        )


RGB = ("FF0000", "00FF00", "0000FF", "FFFFFF")
"""Colours of the samples of RGB and RGBA."""
