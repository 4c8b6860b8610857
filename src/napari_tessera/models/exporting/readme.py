"""The documentation of a package."""

from __future__ import annotations

from napari_tessera.models.exporting.geometry import TileGeometry
from napari_tessera.models.own_format.document import TrainedDocument
from napari_tessera.models.own_format.history import citations_of, method_name, training_line
from napari_tessera.models.words import row_of

_NOT_SAID = "not specified"


def readme(document: TrainedDocument, geometry: TileGeometry) -> str:
    """Write the documentation of a package in Markdown.

    Parameters
    ----------
    document : TrainedDocument
        The model.
    geometry : TileGeometry
        Halo and sizes.
    """
    settings = document.settings
    works = citations_of(document.training, settings.n2v2)
    cited = "\n".join(f"* {work.text}. {work.link or ''}".rstrip() for work in works)
    means, stds = document.output_pair
    lines = [
        f"# {document.name or 'Denoising'}",
        "",
        f"A {settings.spatial_dims}D U-Net of depth {settings.depth} that denoises images like "
        f"those it was trained on ({method_name(document.training)}).",
        "",
        f"* Trained: {training_line(document.training) or _NOT_SAID}",
        f"* Authors: {', '.join(document.authors) or _NOT_SAID}",
        f"* Licence: {document.licence or _NOT_SAID}",
        "",
        "## Grey levels",
        "",
        f"In: (x − mean) / (std + 1e-6), mean {row_of(document.means)}, std "
        f"{row_of(document.stds)}. Out: y · (std + 1e-6) + mean, mean {row_of(means)}, std "
        f"{row_of(stds)}. The numbers are those of the training data, one for each channel. Images "
        "whose grey levels are far off them are denoised worse: normalize these by their own mean "
        "and deviation.",
        "",
        "## Tiles",
        "",
        f"Sizes are multiples of {geometry.step} px along {', '.join(document.axes)}. "
        + _reach_text(geometry),
        "",
        "## Validation",
        "",
        "Denoise an image that was not trained on and look at what was removed (image minus "
        "prediction): it should have no structure of the specimen in it, its mean should be near "
        "0, and neighbouring pixels should not be correlated more than the camera's noise is. "
        "Where there is a clean image, compare PSNR and SSIM with the noisy one's. The package's "
        "test tensors show that the network computes the same, not that it suits an image.",
        "",
        "Do not measure intensities on its output without that check, and do not use it for images "
        "of another kind.",
        "",
    ]
    if cited:
        lines += ["## Cite", "", cited, ""]
    return "\n".join(lines)


def _reach_text(geometry: TileGeometry) -> str:
    if geometry.reach is None:
        return "The network looks at the whole tile."
    text = (
        f"The network looks {row_of(geometry.reach)} px around a pixel; the halo is "
        f"{row_of(geometry.halo)} px."
    )
    if any(halo < reach for halo, reach in zip(geometry.halo, geometry.reach, strict=True)):
        text += " A smaller halo keeps tiles small; what lies beyond it has next to no weight."
    return text
