"""How good a denoised image is, and what was taken from the noisy one."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from benchmarks.quality_parts.noise import WHITE, Image


@dataclass(frozen=True)
class Measures:
    """Figures of one result.

    Parameters
    ----------
    psnr : float
        dB, for a data range of 255.
    scaled : float
        The same after the result was multiplied with the one number that is best: where shots of a
        pair differ in brightness, this does not count it.
    ssim : float
        Structural similarity, weighted by Gaussians of 1.5 px (Wang et al., IEEE Trans. Image
        Process. 13, 600 (2004)), a data range of 255.
    sum : float
        Σ of the result over Σ of the noisy image.
    lags : tuple of float
        Correlation of what was taken (noisy − result) with itself a pixel further, along each axis.
    """

    psnr: float
    scaled: float
    ssim: float
    sum: float
    lags: tuple[float, ...]

    @property
    def worst_lag(self) -> float:
        """The one farthest from 0, in size."""
        return max(map(abs, self.lags))

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, object]) -> Measures:
        return cls(**{**stored, "lags": tuple(stored["lags"])})  # type: ignore[arg-type]


def psnr(image: Image, clean: Image) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal images."""
    error = np.mean((np.asarray(image, np.float64) - clean) ** 2)
    return float(10 * np.log10(WHITE**2 / error)) if error else float("inf")


def best_scale(image: Image, clean: Image) -> float:
    """The factor that brings an image closest to another, in the sense of least squares."""
    return float(np.vdot(image, clean) / np.vdot(image, image))


def lag_one(residual: Image) -> tuple[float, ...]:
    """Correlation of neighbours along each axis; 0 of an image of one value."""
    off = residual - residual.mean()
    power = np.mean(off**2)
    if power == 0:
        return (0.0,) * off.ndim
    found = []
    for axis in range(off.ndim):
        line = np.moveaxis(off, axis, 0)
        found.append(float(np.mean(line[1:] * line[:-1]) / power))
    return tuple(found)


def ssim(image: Image, clean: Image) -> float:
    """Structural similarity, of volumes the mean over planes."""
    from skimage.metrics import structural_similarity

    planes = zip(
        image.reshape(-1, *image.shape[-2:]), clean.reshape(-1, *clean.shape[-2:]), strict=True
    )
    return float(
        np.mean(
            [
                structural_similarity(
                    plane,
                    truth,
                    data_range=WHITE,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                )
                for plane, truth in planes
            ]
        )
    )


def measured(result: Image, noisy: Image, clean: Image) -> Measures:
    """All figures; images of one shape, any dtype, grey levels.

    Raises
    ------
    ValueError
        If shapes differ, or a pixel of the result is not finite.
    """
    result = np.asarray(result, np.float64)
    if result.shape != noisy.shape or result.shape != clean.shape:
        raise ValueError(
            f"result, noisy and clean image have {result.shape}, {noisy.shape} and {clean.shape} "
            "pixels: give images of one shape"
        )
    if not np.isfinite(result).all():
        raise ValueError(f"{np.sum(~np.isfinite(result))} pixels of the result are not finite")
    return Measures(
        psnr(result, clean),
        psnr(best_scale(result, clean) * result, clean),
        ssim(result, clean),
        float(result.sum() / noisy.sum()),
        lag_one(noisy - result),
    )
