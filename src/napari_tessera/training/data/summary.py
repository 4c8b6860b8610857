"""What a training is going to learn from, in lines for people."""

from __future__ import annotations

from napari_tessera.training.data.foreground import Foreground
from napari_tessera.training.data.holding_out import share_held
from napari_tessera.training.data.preparing import Prepared

_UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def summarize(prepared: Prepared) -> tuple[str, ...]:
    """Patches, what is held out, what is marked, how it is read; what is out of the ordinary.

    Returns
    -------
    tuple of str
        A line each, without a full stop.
    """
    where, images = prepared.where, prepared.images
    channels = images.shape[1]
    lines = [
        f"{_counted(prepared.places.n_patches, 'patch', 'patches')} of "
        f"{' × '.join(map(str, where.grid.patch))} px a pass"
        + (f", {channels} channels" if channels > 1 else "")
    ]
    held = where.held
    if held.axes:
        lines.append(
            f"{share_held(images.layout, held):.0f} % held out for validation: {held.text} "
            f"({_counted(len(prepared.validation), 'patch', 'patches')})"
        )
    else:
        lines.append("nothing is held out for validation")
    if isinstance(where.marked, Foreground) and where.marked.looked_at:
        lines.append(_foreground(prepared, where.marked))
    elif where.marked is not None and not isinstance(where.marked, Foreground):
        lines.append(f"{100 * prepared.marked_share:.0f} % of the image is marked")
    lines += warnings_of(prepared)
    if not prepared.in_memory:
        lines.append(f"{_size(images.nbytes)} are read while training")
    if prepared.measured.share < 1:
        percent = min(99.0, 100 * prepared.measured.share)
        lines.append(
            f"grey levels are measured on {percent:.2g} % of what is trained on, evenly spread"
        )
    return tuple(lines)


def warnings_of(prepared: Prepared) -> tuple[str, ...]:
    """What of the summary is out of the ordinary, and should be said in any case."""
    lines = []
    if prepared.broken.pixels:
        n = prepared.broken.pixels
        are = "pixel is" if n == 1 else "pixels are"
        lines.append(
            f"{n:,} {are} NaN or infinite, the first at {prepared.broken.first}: what lies beside "
            "is left out"
        )
    marked = prepared.where.marked
    if isinstance(marked, Foreground) and not marked.looked_at:
        lines.append(
            "planes are too large for an estimate of the foreground: all of the image is used"
        )
    return tuple(lines)


def _foreground(prepared: Prepared, marked: Foreground) -> str:
    samples = prepared.images.shape[0]
    text = f"{100 * prepared.marked_share:.0f} % of the image is foreground"
    if len(marked.looked_at) < samples:
        text += f", as far as {len(marked.looked_at):,} of {samples:,} planes tell"
    return text


def _counted(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"


def _size(n: int) -> str:
    for unit, name in _UNITS:
        if n >= unit:
            return f"{n / unit:.3g} {name}"
    return f"{n} B"
