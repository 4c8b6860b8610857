"""What each reading means for the image at hand, and what to do, in people's words."""

from __future__ import annotations

from dataclasses import dataclass

from napari_tessera.prediction import CheckReadings, Reading
from napari_tessera.prediction.check_readings import (
    INTENSITY,
    NOISE,
    SATURATED,
    STRIPED,
    STRUCTURE_LEFT,
    percent,
)


@dataclass(frozen=True)
class Words:
    """An explanation.

    Parameters
    ----------
    meaning : str
        What the reading says of this image.
    to_do : tuple of str
        What one can do, most useful first; empty where there is nothing to do.
    """

    meaning: str
    to_do: tuple[str, ...] = ()


_OTHER_MODEL = "Try a model that was trained on images like this one."
_LOOK = "Show Removed noise (above): outlines of your sample in it were taken out of the image."


def explain(reading: Reading, readings: CheckReadings) -> Words:
    """Put a reading into words.

    Parameters
    ----------
    reading : Reading
        One of `readings.rows()`.
    readings : CheckReadings
        All that was read off the tiles so far.
    """
    return {
        INTENSITY: _intensity,
        STRUCTURE_LEFT: _structure,
        NOISE: _noise,
        SATURATED: _saturation,
        STRIPED: _stripes,
    }[reading.key](reading, readings)


def _intensity(reading: Reading, readings: CheckReadings) -> Words:
    kept = readings.intensity_kept
    if kept != kept:
        return Words(
            "The input's positive and negative values cancel out, so that there is no sum to "
            "compare with."
        )
    share = f"{100 * kept:.1f} %"
    if reading.good:
        return Words(
            f"The denoised image has {share} of the input's intensity: on the whole nothing was "
            "made brighter or darker."
        )
    if kept < 1:
        return Words(
            f"The denoised image has only {share} of the input's intensity. Light went with the "
            "noise, usually where photons are few: means and sums measured on it are too low.",
            (
                "Measure intensities on the input, in regions that you find on the denoised image.",
                "Under Advanced, choose each time point as intensity range.",
                _OTHER_MODEL,
            ),
        )
    return Words(
        f"The denoised image has {share} of the input's intensity. Light was added that the "
        "camera never saw: means and sums measured on it are too high.",
        (
            "Measure intensities on the input, in regions that you find on the denoised image.",
            "Under Advanced, choose each time point as intensity range.",
            _OTHER_MODEL,
        ),
    )


def _structure(reading: Reading, readings: CheckReadings) -> Words:
    found = readings.residual_correlation
    if reading.good:
        return Words(
            "Neighbouring pixels of what was removed have next to nothing in common, as it is with "
            "a camera's noise. Beside its middle the plot is nearly even."
        )
    if found < 0:
        return Words(
            "Neighbouring pixels of what was removed are opposite more often than not "
            f"(−{-found:.2f}): fine noise went, and coarser noise stayed.",
            ("Do not take blotches in even areas for structure.", _OTHER_MODEL),
        )
    stripes = (
        ""
        if readings.stripes_ok
        else " Here the noise itself comes in lines (see Stripes in the noise): that is part of it."
    )
    return Words(
        f"What was removed resembles itself one pixel further ({found:.2f}). Structure does, and "
        f"so does noise that a camera or its software smears over neighbours.{stripes}",
        (_LOOK, "Do not measure small or faint structures on the denoised image.", _OTHER_MODEL),
    )


def _noise(reading: Reading, readings: CheckReadings) -> Words:
    if readings.little_noise or readings.noise_removed is None:
        return Words(
            "From pixel to pixel the input hardly varies beside its structure: there is little "
            "noise to remove, and it may need no denoising."
        )
    share = readings.noise_removed
    if reading.good:
        return Words(
            f"{min(100, 100 * share):.0f} % of what varies from pixel to pixel went. What this "
            "was, noise or the finest structure, the other readings tell in part."
        )
    what = "Noise was added." if share < 0 else f"Only {100 * share:.0f} % of the noise went."
    return Words(
        f"{what} The model takes the rest for structure: its training had other noise, other "
        "grey levels, or another pixel size.",
        (
            "Under Advanced, choose each time point as intensity range.",
            _OTHER_MODEL,
            "If the noise comes in lines or blotches, denoise the image as the camera gave it, "
            "before it is scaled, turned or deconvolved.",
        ),
    )


def _saturation(reading: Reading, readings: CheckReadings) -> Words:
    if reading.good:
        return Words("Hardly any pixels of the input are cut off, above or below.")
    parts, to_do = [], []
    if readings.saturated > readings.zeros or not readings.zeros:
        to_do.append("Next time expose for less time, or with less light or gain.")
    if readings.saturated > 0.001:
        parts.append(
            f"{percent(readings.saturated)} of the pixels are at the top of the grey levels. "
            "What was brighter is lost, and the mean of such an area comes out too dark"
        )
    if readings.zeros > 0.001:
        parts.append(
            f"{percent(readings.zeros)} of the pixels are 0. Where the noise would go below 0, "
            "only its upper half is there, and dark areas come out too bright"
        )
        to_do.append(
            "Next time raise the camera's or detector's offset until the darkest pixels are above "
            "0. Single photons that are counted are 0 rightly."
        )
    return Words(f"{'. '.join(parts)}. No denoiser can bring it back.", tuple(to_do))


def _stripes(reading: Reading, readings: CheckReadings) -> Words:
    rows, columns = readings.row_correlation, readings.column_correlation
    figures = f"neighbours in a row {_signed(rows)}, in a column {_signed(columns)}"
    if reading.good:
        return Words(f"The noise runs neither along rows nor along columns ({figures}).")
    lines = "rows" if readings.stripe_excess > 0 else "columns"
    return Words(
        f"The input's noise comes in {lines} ({figures}). Most models know noise only that "
        "differs from pixel to pixel: stripes will stay, or stand out once the rest is gone.",
        (
            "Compare with the input (Flip): lines that only the denoised image shows are noise.",
            "Try a model that was trained for such noise (structN2V, or pairs of images).",
            "Scanning slowly, or averaging lines, makes less of it; so does the camera's own "
            "correction.",
        ),
    )


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
