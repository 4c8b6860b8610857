"""``napari-tessera models export``: a trained model in the format of other software."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_tessera.cli.reporting import Reporter
from napari_tessera.home_paths import from_home


@dataclass(frozen=True)
class ExportJob:
    """What is asked for.

    Parameters
    ----------
    model, output : Path
        The model, and where to.
    format : str
        As `export_model` calls it.
    authors : tuple of str
        Names.
    licence : str or None
        SPDX identifier.
    overwrite : bool
        Whether a file that is there may be replaced.
    """

    model: Path
    output: Path
    format: str
    authors: tuple[str, ...] = ()
    licence: str | None = None
    overwrite: bool = False


def export_trained(job: ExportJob, reporter: Reporter) -> int:
    """Export a model, and say where it is.

    Returns
    -------
    int
        Exit status: 0, or 1 where it cannot be done.
    """
    try:
        from napari_tessera.models.exporting import export_model
        from napari_tessera.models.own_format import read_trained

        model = from_home(job.model)
        with reporter.warnings_as_lines():
            path = export_model(
                model,
                from_home(job.output),
                job.format,
                overwrite=job.overwrite,
                authors=job.authors,
                licence=job.licence,
            )
            if job.format == "bioimageio":
                document = read_trained(model).document
                _ask(
                    reporter,
                    has_author=bool(job.authors or document.authors),
                    has_licence=bool(job.licence or document.licence),
                )
    except Exception as error:
        reporter.error(error)
        return 1
    reporter.finished(f"{path} written ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


def _ask(reporter: Reporter, *, has_author: bool, has_licence: bool) -> None:
    """Say what others need to know before they may use a package."""
    missing = [
        f"{word} ({option})"
        for word, option, is_there in (
            ("author", "--author", has_author),
            ("licence", "--licence", has_licence),
        )
        if not is_there
    ]
    if missing:
        reporter.warning(
            f"the package names no {' and no '.join(missing)}; the BioImage Model Zoo wants both"
        )
