"""Training of ours against CAREamics': the same images, networks, batches, patches and steps.

Time is that of the same work: CAREamics validates after each epoch, which is a few steps on images
of this size, and its learning rate follows what it finds; so ours validates after as many steps,
though nothing in it depends on that. Each holds out what it does by default, about a tenth.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from benchmarks.goals import Goal
from benchmarks.quality_parts.careamics_training import EPOCH, Sizes, Trained, careamics
from benchmarks.quality_parts.cases import Case, noisy_case, pairs
from benchmarks.quality_parts.kept import Kept
from benchmarks.quality_parts.measures import measured
from benchmarks.quality_parts.noise import poisson
from benchmarks.quality_parts.results import head, row
from benchmarks.quality_parts.spectrum import nyquist_energy, nyquist_peak

OURS, THEIRS = "ours", "CAREamics"
METHODS = ("n2v", "n2v2")


@dataclass(frozen=True)
class Run:
    """One training.

    Parameters
    ----------
    image, method, software : str
        What of, how, and by which.
    seed, steps, patches : int
        Of the training; of CAREamics counted.
    psnr, ssim, sum : float
        Of the result; dB, similarity, and Σ over that of the noisy image.
    energy : float
        Near the Nyquist frequency, relative to the clean image.
    peak : float
        How much a frequency there stands out from those around it; 1: not at all.
    seconds : float or None
        None where the figures came from a file.
    """

    image: str
    method: str
    software: str
    seed: int
    steps: int
    patches: int
    psnr: float
    ssim: float
    sum: float
    energy: float
    peak: float
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def add_options(parser: argparse.ArgumentParser) -> None:
    own = parser.add_argument_group("training")
    own.add_argument("--images", nargs="+", help="names; default: all pairs, and camera")
    own.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    own.add_argument("--seeds", type=int, help="how many; default 3, with --quick 1")
    own.add_argument("--steps", type=int, help="default 300, with --quick 30")
    own.add_argument("--batch", type=int, default=16)
    own.add_argument("--patch", type=int, default=64)
    own.add_argument("--depth", type=int, default=2)
    own.add_argument("--features", type=int, default=32)


def cases(shared: Path | None, names: Sequence[str] | None) -> list[Case]:
    """Real pairs, and scikit-image's camera with photon and read-out noise."""
    from skimage import data

    found = list(pairs(shared / "data" / "pairs")) if shared else []
    noise = poisson(30, read_out=8)
    camera = data.camera().astype(np.float64)
    found.append(noisy_case("packaged", "camera", camera, noise, "peak 30 + σ 8"))
    if not names:
        return found
    chosen = [case for case in found if case.name.split(",")[0] in names]
    if not chosen:
        known = ", ".join(case.name.split(",")[0] for case in found)
        raise SystemExit(f"no image {' '.join(names)}; there is {known}")
    return chosen


def ours(
    image: np.ndarray,
    method: str,
    sizes: Sizes,
    seed: int,
    folder: Path,
    clock: Callable[[], float],
) -> Trained:
    """Train by this package with its defaults, but for the sizes, and denoise the image.

    It validates as often as CAREamics does, which is much more often than by default.
    """
    from napari_tessera import predict
    from napari_tessera.training import TrainingSettings, train

    settings = TrainingSettings(
        method=method,
        steps=sizes.steps,
        batch_size=sizes.batch,
        patch_size=(sizes.patch, sizes.patch),
        depth=sizes.depth,
        features=sizes.features,
        validate_every=EPOCH,
        seed=seed,
    )
    given = image.astype(np.float32)
    began = clock()
    model = train(given, folder / "model.safetensors", settings=settings, device="cpu")
    seconds = clock() - began
    return Trained(predict(given, model), seconds, sizes.steps, sizes.steps * sizes.batch)


def compare(options: argparse.Namespace) -> tuple[list[Run], Kept]:
    """All images, methods and seeds; both softwares by turns, CAREamics first as it counts."""
    steps = options.steps or (30 if options.quick else 300)
    seeds = options.seeds or (1 if options.quick else 3)
    asked = Sizes(steps, options.batch, options.patch, options.depth, options.features)
    kept, found = Kept(options.cache), []
    for case in cases(options.shared, options.images):
        for method in options.methods:
            for seed in range(1, seeds + 1):
                theirs = _theirs(case, method, asked, seed, options.clock, kept)
                # the steps that it took, should the image have had no more patches
                sizes = Sizes(theirs.steps, *list(asdict(asked).values())[1:])
                own = _trained(ours, OURS, case, method, sizes, seed, options.clock)
                found += [theirs, own]
                for run in (theirs, own):
                    print(_line(run), file=sys.stderr, flush=True)
    return found, kept


def _theirs(
    case: Case, method: str, sizes: Sizes, seed: int, clock: Callable[[], float], kept: Kept
) -> Run:
    seconds: list[float | None] = []

    def work() -> dict[str, Any]:
        made = _trained(careamics, THEIRS, case, method, sizes, seed, clock).to_json()
        seconds.append(made.pop("seconds"))
        return made

    how = f"{version('careamics')}, {method}, {sizes}, seed {seed}"
    stored = kept.of(THEIRS, how, case.name, case.digest, work)
    return Run(**stored, seconds=seconds[0] if seconds else None)


def _trained(
    software: Callable[..., Trained],
    name: str,
    case: Case,
    method: str,
    sizes: Sizes,
    seed: int,
    clock: Callable[[], float],
) -> Run:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = software(case.noisy, method, sizes, seed, Path(folder), clock)
    figures = measured(made.result, case.noisy.astype(np.float64), case.clean)
    return Run(
        *(case.name, method, name, seed, made.steps, made.patches),
        *(figures.psnr, figures.ssim, figures.sum),
        nyquist_energy(made.result) / nyquist_energy(case.clean),
        nyquist_peak(made.result),
        made.seconds,
    )


def _line(run: Run) -> str:
    took = "from a file" if run.seconds is None else f"{run.seconds:.1f} s"
    return f"{run.image}, {run.method}, {run.software}, seed {run.seed}: {run.psnr:.2f} dB, {took}"


def _groups(runs: Sequence[Run]) -> dict[tuple[str, str], tuple[list[Run], list[Run]]]:
    """Runs of ours and of CAREamics, by image and method."""
    found: dict[tuple[str, str], tuple[list[Run], list[Run]]] = {}
    for run in runs:
        both = found.setdefault((run.image, run.method), ([], []))
        both[run.software == THEIRS].append(run)
    return found


def rows(runs: Sequence[Run]) -> Iterator[str]:
    """A row for each image, method and software: means over the seeds."""
    yield from head(
        "image",
        "method",
        "by",
        *("PSNR", "of the seeds", "SSIM", "Σ out/in"),
        *("Nyquist energy / clean", "peak", "steps", "patches", "median time"),
    )
    for (image, method), both in _groups(runs).items():
        for group in both:
            psnr = [run.psnr for run in group]
            times = [run.seconds for run in group if run.seconds is not None]
            yield row(
                *(image, method, group[0].software),
                f"{mean(psnr):.2f}",
                f"{min(psnr):.2f} to {max(psnr):.2f}",
                f"{mean(run.ssim for run in group):.3f}",
                f"{mean(run.sum for run in group):.3f}",
                f"{mean(run.energy for run in group):.3f}",
                f"{mean(run.peak for run in group):.2f}",
                *(str(group[0].steps), str(group[0].patches)),
                f"{median(times):.1f} s" if times else "from a file",
            )


def goals(runs: Sequence[Run]) -> list[Goal]:
    """PSNR and time of N2V, checkerboards of N2V2; *least* and *most* are over the seeds."""
    found = []
    for (image, method), (own, theirs) in _groups(runs).items():
        if method == "n2v":
            gains = [a.psnr - b.psnr for a, b in zip(own, theirs, strict=True)]
            what = f"{image}: N2V over {THEIRS}"
            found.append(Goal(what, mean(gains), min(gains), max(gains), 0.0, unit="dB"))
            found += _time(image, own, theirs)
        else:
            energies = [run.energy for run in own]
            what = f"{image}: N2V2's energy at the Nyquist frequency, relative to the clean image"
            spread = (mean(energies), min(energies), max(energies))
            found.append(Goal(what, *spread, 1.1, at_most=True))
    return found


def _time(image: str, own: Sequence[Run], theirs: Sequence[Run]) -> list[Goal]:
    timed = [
        (a.seconds, b.seconds)
        for a, b in zip(own, theirs, strict=True)
        if a.seconds is not None and b.seconds is not None
    ]
    if not timed:
        return []
    each = [a / b for a, b in timed]
    ratio = median(a for a, _ in timed) / median(b for _, b in timed)
    what = f"{image}: N2V's time, against {THEIRS}"
    return [Goal(what, ratio, min(each), max(each), 0.7, at_most=True)]
