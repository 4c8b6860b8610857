"""How well noise is removed: built-in models against others, and training against CAREamics.

    tox -e quality -- [--part builtin volumes] [--models NAME …] [--cache FILE] [--quick] [--json]
    tox -e quality-training -- [--steps N] [--seeds N] [--images NAME …] [--json]

or `python -m benchmarks.quality` where what stands in `benchmarks/requirements-quality.txt` (for
the part `training` in `requirements-compare.txt`) is installed. `builtin` are models for planes on
real pairs and on scikit-image's own images, `volumes` models for volumes on generated ones; each
model is run by `predict` with the settings that nobody changed. What it is compared with knows the
noise and is set with the clean image in hand. With `--cache` the figures of others are kept in a
file, by the pixels of each case and by version; seconds are always taken anew.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.compare import machine
from benchmarks.goals import Goal, print_goals
from benchmarks.quality_parts import images, training, volumes
from benchmarks.quality_parts.denoising import goals_of, results_of, timings_of
from benchmarks.quality_parts.judging import BM3D, BM4D, IMAGES, VOLUMES, Gain
from benchmarks.quality_parts.kept import Kept
from benchmarks.quality_parts.networks import Network, ours
from benchmarks.quality_parts.results import by_case, by_group, settings

SHARED = Path(__file__).parents[2] / "shared"

SOFTWARE = ("torch", "numpy", "scikit-image", "bm3d", "bm4d", "careamics", "napari-tessera")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=["builtin", "volumes"])
    parser.add_argument(
        "--models", nargs="+", help="what load_model takes; default: the built-in ones"
    )
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with data/ and models/")
    parser.add_argument("--cache", type=Path, help="file with figures of others, added to")
    parser.add_argument("--rounds", type=int, help="for seconds; default 3; 0: none are taken")
    parser.add_argument("--quick", action="store_true", help="few cases, few steps, one round")
    parser.add_argument(
        "--cpu-time", action="store_true", help="of this process, where others use the cores too"
    )
    parser.add_argument("--settings", action="store_true", help="what others were set to, too")
    parser.add_argument("--json", action="store_true", help="JSON in the place of tables")
    training.add_options(parser)
    options = parser.parse_args()
    options.clock = time.process_time if options.cpu_time else time.perf_counter
    if options.rounds is None:
        options.rounds = 1 if options.quick else 3
    if not options.shared.is_dir():
        print(f"no folder {options.shared}: no real pairs, and no DnCNN", file=sys.stderr)
        options.shared = None
    found: dict[str, Any] = {"machine": machine(SOFTWARE)}
    if not options.json:
        print(*(f"{name}: {value}" for name, value in found["machine"].items()), sep="\n")
    for part in options.part:
        found[part] = PARTS[part](options)
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))


def builtin(options: argparse.Namespace) -> dict[str, Any] | None:
    """Models for planes."""
    judged = _models(options, 2)
    if not judged:
        return _left_out(options, "builtin", "no model for planes was given")
    _need("bm3d", "skimage")
    return _denoised(
        options,
        "builtin",
        images.methods(options.shared, judged),
        images.cases(options.shared, quick=options.quick),
        images.TIMED,
        (judged, IMAGES, BM3D),
    )


def on_volumes(options: argparse.Namespace) -> dict[str, Any] | None:
    """Models for volumes."""
    judged = _models(options, 3)
    if not judged:
        return _left_out(options, "volumes", "no model for volumes was given, or is built in")
    _need("bm4d", "skimage")
    return _denoised(
        options,
        "volumes",
        volumes.methods(judged),
        volumes.cases(quick=options.quick),
        volumes.TIMED,
        (judged, VOLUMES, BM4D),
    )


def _denoised(
    options: argparse.Namespace,
    part: str,
    methods: dict[str, Any],
    cases: list[Any],
    timed: str,
    judging: tuple[list[Network], Sequence[Gain], str],
) -> dict[str, Any]:
    judged, gains, slow = judging
    kept = Kept(options.cache)
    results = results_of(methods, cases, kept)
    (case,) = (case for case in cases if case.name == timed)
    timings = None
    if options.rounds:
        timings = timings_of(methods, case, options.rounds, options.clock)
    goals = goals_of(results, [model.name for model in judged], gains, timings, slow)
    if not options.json:
        print(f"\n{part}\n", *by_case(results), "", *by_group(results), "", sep="\n")
        if options.settings:
            print(*settings(results), "", sep="\n")
        if timings is not None:
            print(f"{timed}, {' × '.join(map(str, case.noisy.shape))}:\n")
            timings.print()
        for name, own in goals.items():
            _print_goals(name, own)
        print(f"\n{kept.words}")
    return {
        "cases": results.to_json(),
        "seconds": timings.seconds if timings is not None else None,
        "goals": {name: [goal.to_json() for goal in own] for name, own in goals.items()},
        "from the file": kept.found,
    }


def _print_goals(name: str, goals: list[Goal]) -> None:
    print(f"\n{name}\n")
    print_goals(goals, over="cases")


def trained(options: argparse.Namespace) -> dict[str, Any]:
    """Training of ours against CAREamics'."""
    _need("careamics", "skimage")
    runs, kept = training.compare(options)
    goals = training.goals(runs)
    if not options.json:
        print("\ntraining\n", *training.rows(runs), "", sep="\n")
        print_goals(goals, over="seeds")
        print(f"\n{kept.words}")
    return {
        "runs": [run.to_json() for run in runs],
        "goals": [goal.to_json() for goal in goals],
        "from the file": kept.found,
    }


def _models(options: argparse.Namespace, spatial_dims: int) -> list[Network]:
    from napari_tessera.models.builtin import BUILTIN_NAMES

    names = options.models or [f"builtin:{name}" for name in BUILTIN_NAMES]
    return [model for model in map(ours, names) if model.spatial_dims == spatial_dims]


def _left_out(options: argparse.Namespace, part: str, why: str) -> None:
    print(f"\n{part}: {why}", file=sys.stderr if options.json else sys.stdout)


def _need(*packages: str) -> None:
    """End with a line that says what to install."""
    absent = [name for name in packages if find_spec(name) is None]
    if absent:
        raise SystemExit(
            f"{', '.join(absent)} is not installed here: run it by tox -e quality, or for the part "
            "training by tox -e quality-training"
        )


PARTS = {"builtin": builtin, "volumes": on_volumes, "training": trained}


if __name__ == "__main__":
    main()
