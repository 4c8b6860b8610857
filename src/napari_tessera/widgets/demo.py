"""The demo: a noisy sample stack denoised in napari, with a screen, a virtual one, or headless."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from napari_tessera.cli.bars import BarReporter
from napari_tessera.cli.interrupts import Interrupted, Interrupts
from napari_tessera.widgets.demo_report import psnr, save_before_after
from napari_tessera.widgets.demo_run import MODEL, PICTURE, STORE, TILE, WINDOW, DemoError, DemoRun
from napari_tessera.widgets.demo_screen import VIRTUAL_SIZE, screen
from napari_tessera.widgets.sample_data import noisy_3dt

if TYPE_CHECKING:
    from napari.types import LayerData

    from napari_tessera.prediction import Progress


def run_demo(folder: Path) -> int:
    """Denoise a sample stack in a window where there is a screen, and say what was done.

    Parameters
    ----------
    folder : Path
        Where ``denoised.ome.zarr``, ``before-after.png`` and, with a screen, ``window.png`` go.
        What an earlier demo left there is replaced.

    Returns
    -------
    int
        Exit status: 0 done (or the window was closed), 130 or 143 stopped by a signal.

    Raises
    ------
    DemoError
        If the run failed.
    FileExistsError
        If something else than a demo's result is in the way.
    OSError
        If the folder cannot be written to.
    """
    reporter = BarReporter()
    with Interrupts(reporter.stopping) as interrupts:
        try:
            _prepare(folder)
            layers = noisy_3dt()
            with screen() as shown:
                _say("screen", shown.why)
                interrupts.guard()
                _announce(layers)
                if shown.can_show:
                    from napari_tessera.widgets.demo_window import denoise_in_window

                    real = shown.kind == "real"
                    run = denoise_in_window(
                        layers,
                        folder,
                        size=None if real else VIRTUAL_SIZE,
                        stays=real,
                        cancel=interrupts.cancel,
                        finished=lambda run: _finish(run, layers, folder),
                    )
                else:
                    run = _denoise_headless(layers, folder, reporter, interrupts)
                    if run.completed:
                        _finish(run, layers, folder)
        except Interrupted:
            reporter.stopped("interrupted before the first tile: nothing was written")
            return interrupts.exit_status
    if run.failure:
        raise DemoError(f"the demo failed: {run.failure}")
    if not run.completed:
        reporter.stopped(f"stopped: {run.done} of {run.total} tiles are in {folder / STORE}")
    return interrupts.exit_status if interrupts.signum is not None else 0


def _prepare(folder: Path) -> None:
    """Make the folder, and make room in it for new results."""
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / STORE
    if store.exists():
        if not _is_ours(store):
            raise FileExistsError(
                f"{store} is no result of this demo: give another folder with --output"
            )
        shutil.rmtree(store)
    for name in (PICTURE, WINDOW):
        (folder / name).unlink(missing_ok=True)


def _is_ours(store: Path) -> bool:
    try:
        return "napari_tessera" in zarr.open_group(store, mode="r").attrs
    except (OSError, ValueError):
        return False


def _denoise_headless(
    layers: list[LayerData], folder: Path, reporter: BarReporter, interrupts: Interrupts
) -> DemoRun:
    """Denoise with the engine alone."""
    from napari_tessera.metadata import ImageMetadata
    from napari_tessera.models import load_model
    from napari_tessera.prediction import plan_prediction, predict_to_disk
    from napari_tessera.stacks import ArrayStack

    noisy, look, _ = layers[-1]
    axes = "".join(look["axis_labels"])
    metadata = ImageMetadata(axes, scale=look["scale"], units=look["units"])
    stack = ArrayStack(noisy, axes, source=f"layer:{look['name']}", metadata=metadata)
    model = load_model(MODEL)
    plan = plan_prediction(stack, model, patch_size=TILE)
    reporter.planned(plan)
    last: list[Progress] = []

    def progress(state: Progress) -> None:
        last[:] = [state]
        reporter.progress(state)

    with reporter.running():
        predict_to_disk(
            stack,
            model,
            folder / STORE,
            plan=plan,
            progress=progress,
            cancel=interrupts.cancel,
        )
    return DemoRun(
        last[-1].done,
        last[-1].total,
        plan.patch_size,
        plan.overlaps,
        last[-1].seconds,
    )


def _announce(layers: list[LayerData]) -> None:
    """Say what will be denoised."""
    noisy, look, _ = layers[-1]
    shape = "×".join(map(str, noisy.shape))
    _say("image", f"{look['name']}: {''.join(look['axis_labels'])} {shape} {noisy.dtype}")
    _say("model", f"{MODEL}, which was not trained on this image")


def _finish(run: DemoRun, layers: list[LayerData], folder: Path) -> None:
    """Compare with the clean version, save the picture, and say what was done."""
    (clean, _, _), (noisy, look, _) = layers
    size, overlap = ("×".join(map(str, sizes)) for sizes in (run.patch_size, run.overlaps))
    _say("tiles", f"{run.total} of {size} px, overlap {overlap} px")
    speed = f" ({run.done / run.seconds:.1f} tiles/s)" if run.seconds else ""
    _say("time", f"{run.seconds:.1f} s{speed}")
    denoised: Any = zarr.open_group(folder / STORE, mode="r")["0"]
    pixels = np.asarray(denoised[...])
    before, after = psnr(noisy, clean), psnr(pixels, clean)
    _say("PSNR", f"from {before:.1f} to {after:.1f} dB, against the clean version")
    _say("result", str(folder / STORE))
    plane = tuple(size // 2 for size in noisy.shape[:-2])
    save_before_after(
        folder / PICTURE,
        [
            (f"noisy, {before:.1f} dB", noisy[plane]),
            (f"denoised, {after:.1f} dB", pixels[plane]),
            ("clean", clean[plane]),
        ],
        look["contrast_limits"],
    )
    _say("picture", str(folder / PICTURE))
    if (folder / WINDOW).exists():
        _say("window", str(folder / WINDOW))


def _say(what: str, text: str) -> None:
    print(f"{what:<8} {text}", flush=True)
