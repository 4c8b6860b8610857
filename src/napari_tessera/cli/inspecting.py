"""``napari-tessera info``: what an image or a model is, printed."""

from __future__ import annotations

from napari_tessera.cli.inputs import open_input
from napari_tessera.cli.reporting import Reporter, json_text


def show_image(source: str, axes: str | None, reporter: Reporter, *, as_json: bool) -> int:
    """Print what an image is, without reading its pixels.

    Returns
    -------
    int
        Exit status: 0, or 1 where it cannot be opened.
    """
    from napari_tessera.cli import describing

    try:
        with reporter.warnings_as_lines(), open_input(source, axes, reporter) as stack:
            facts = describing.describe_stack(stack)
        text = json_text(facts) if as_json else describing.as_text(facts)
    except Exception as error:
        reporter.error(error)
        return 1
    print(text)
    return 0


def show_model(source: str, reporter: Reporter, *, as_json: bool) -> int:
    """Print what a model is; its reach and period are measured where they are not known yet.

    Returns
    -------
    int
        Exit status: 0, or 1 where it cannot be loaded.
    """
    from napari_tessera.cli import model_describing

    try:
        from napari_tessera.models import load_model

        with reporter.warnings_as_lines():
            facts = load_model(source, device="cpu").info.to_dict()
        for warning in facts["warnings"]:
            reporter.warning(warning)
        text = json_text(facts) if as_json else model_describing.as_text(facts)
    except Exception as error:
        reporter.error(error)
        return 1
    print(text)
    return 0


def show_models(reporter: Reporter, *, as_json: bool) -> int:
    """Print the built-in models and the files that were used last.

    Returns
    -------
    int
        Exit status: 0.
    """
    from napari_tessera.cli import model_describing
    from napari_tessera.cli.inputs import BUILTIN

    try:
        from napari_tessera.models import BUILTIN_NAMES
        from napari_tessera.models.recent import recent_models

        with reporter.warnings_as_lines():
            known = [{"model": BUILTIN + name, "kind": "built-in"} for name in BUILTIN_NAMES]
            known += [{"model": str(path), "kind": "recent"} for path in recent_models()]
    except Exception as error:
        reporter.error(error)
        return 1
    print(json_text(known) if as_json else model_describing.listed(known))
    return 0
