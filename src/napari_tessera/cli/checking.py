"""``napari-tessera models check``: the test that a model's package brings."""

from __future__ import annotations

import warnings
from math import isfinite
from typing import Any

from napari_tessera.cli.reporting import Reporter, json_text, visible


def check_model(source: str, reporter: Reporter, *, as_json: bool) -> int:
    """Run a model's own test, and say how it went.

    A model without one is run on a tile, which measures its reach.

    Returns
    -------
    int
        Exit status: 0 passed, or no test and it runs; 1 failed, or not loadable.
    """
    try:
        from napari_tessera.models import load_model

        with warnings.catch_warnings():
            # loading tells of a test that fails, which is what is told here
            warnings.simplefilter("ignore")
            model = load_model(source, device="cpu")
        with reporter.warnings_as_lines():
            result = model.run_own_test() if model.loaded.own_test is not None else None
            if result is None:
                model.geometry  # noqa: B018
            for warning in model.loaded.warnings:
                reporter.warning(warning)
    except Exception as error:
        reporter.error(error)
        return 1
    name = model.name
    facts: dict[str, Any] = {"model": name, "sha256": model.sha256, "test": "none", "message": ""}
    if result is None:
        facts["message"] = "its file brings no test; it loads, and runs on a tile"
    else:
        facts |= {
            "test": "passed" if result.passed else "failed",
            "message": result.message,
            # JSON has no NaN
            "max_difference": result.max_difference if isfinite(result.max_difference) else None,
            "allowed": result.allowed,
        }
    if as_json:
        print(json_text(facts))
    if result is not None and not result.passed:
        reporter.error(ValueError(f"{name}: {result.message}"))
        return 1
    if not as_json:
        print(visible(f"{name}: {facts['message']}"))
    return 0
