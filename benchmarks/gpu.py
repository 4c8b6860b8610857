"""On a CUDA device: this package against its own network's time there, against CAREamics, and 100
random settings.

    python -m benchmarks.gpu [--part limit|peers|settings] [--size 8192] [--rounds 5] [--json]

`limit` is `predict` of an array against a loop of the same prepared network over tiles that lie on
the device already, timed by CUDA's own events: no reading, no transfer, no cutting. `peers` is
CAREamics' `predict` in the same precision (`benchmarks/requirements-compare.txt`). `settings` draws
images, tiles, batches and precisions: each must finish, and automatic ones may leave no less than a
tenth of the memory that was free. Without a CUDA device it says so and ends with status 0.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.goals import Goal, print_goals
from benchmarks.peers.checkpoint import noisy_image
from benchmarks.rounds import Timings, interleaved

from napari_tessera import load_model, plan_prediction, predict

MODEL = "builtin:denoise2d"
PRECISIONS = ("float32", "bfloat16")
SETTINGS_TRIED = 100
MOST = 0.9
"""Share of the free memory that automatic tiles and batches may take."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default=MODEL, help="of limit and settings")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device on this machine: nothing was measured")
        return
    found: dict[str, Any] = {"machine": machine()}
    goals: list[Goal] = []
    for part in options.part:
        seconds, more = PARTS[part](options)
        found[part] = seconds
        goals += more
    if options.json:
        print(json.dumps({**found, "goals": [goal.to_json() for goal in goals]}))
        return
    print(*(f"{name}: {value}" for name, value in found["machine"].items()), sep="\n")
    print_goals(goals)


def machine() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name(),
        "memory": f"{torch.cuda.mem_get_info()[1] / 1e9:.0f} GB",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),
        "napari-tessera": version("napari-tessera"),
    }


def synchronized(run: Callable[[], Any]) -> Callable[[], Any]:
    """The same, until the device is through."""

    def whole() -> Any:
        made = run()
        torch.cuda.synchronize()
        return made

    return whole


def resident_seconds(model: Any, plan: Any) -> float:
    """Seconds of the prepared network alone, over as many tiles, by CUDA's events."""
    batch_size = plan.settings.batch_size
    batches = -(-plan.total_tiles // batch_size)
    channels = model.in_channels or 1
    # a few batches lie there, and are gone through in turn
    tiles = [
        torch.randn(batch_size, channels, *plan.patch_size, device=model.device) for _ in range(4)
    ]
    model(tiles[0])
    network = model._placement.network_for(tiles[0], model.geometry)
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    with torch.no_grad(), model._placement.casting():
        for _ in range(3):
            network(tiles[0])
        torch.cuda.synchronize()
        began.record()
        for at in range(batches):
            network(tiles[at % len(tiles)])
        ended.record()
    torch.cuda.synchronize()
    return began.elapsed_time(ended) / 1000


def limit(options: argparse.Namespace) -> tuple[dict[str, Any], list[Goal]]:
    """Array to array against what the network takes."""
    image = noisy_image(options.size)
    goals, seconds = [], {}
    for precision in PRECISIONS:
        model = load_model(options.model, device="cuda", precision=precision)
        plan = plan_prediction(image, model)
        run = synchronized(lambda model=model, plan=plan: predict(image, model, plan=plan))
        run()
        found = Timings({"predict": [], "network": []})
        for _ in range(options.rounds):
            began = time.perf_counter()
            run()
            found.seconds["predict"].append(time.perf_counter() - began)
            found.seconds["network"].append(resident_seconds(model, plan))
        tiles = f"{plan.settings.batch_size} × {'×'.join(map(str, plan.patch_size))}"
        what = f"array to array, {precision}, tiles {tiles}, against the network alone"
        goals.append(Goal(what, *found.ratio("predict", "network"), 1.1, at_most=True))
        seconds[precision] = found.seconds
        model.release()
    return seconds, goals


def peers(options: argparse.Namespace) -> tuple[dict[str, Any], list[Goal]]:
    """CAREamics' predict in the same precision, at the best of some batch sizes."""
    try:
        import careamics  # noqa: F401
        from careamics import CAREamist
    except ImportError:
        print("CAREamics is not installed: not compared with", file=sys.stderr)
        return {}, []
    from benchmarks.peers.checkpoint import make_checkpoint, quiet

    quiet()
    image = noisy_image(min(options.size, 4096))
    goals, seconds = [], {}
    tiles = {"tile_size": (256, 256), "tile_overlap": (48, 48)}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with contextlib.redirect_stdout(sys.stderr):
            checkpoint = make_checkpoint(folder / "training")
        for precision, theirs in (("float32", "32-true"), ("bfloat16", "bf16-mixed")):
            careamist = CAREamist(
                checkpoint_path=checkpoint, work_dir=folder, enable_progress_bar=False
            )
            careamist.trainer = _trainer(careamist, theirs)
            model = load_model(checkpoint, device="cuda", precision=precision)

            def run(batch: int, careamist: Any = careamist) -> Any:
                return careamist.predict(
                    image,
                    batch_size=batch,
                    axes="YX",
                    data_type="array",
                    checkpoint=checkpoint,
                    num_workers=0,
                    **tiles,
                )

            ways = {f"CAREamics, batch {n}": lambda n=n, run=run: run(n) for n in (4, 16, 64)}
            ways["ours"] = lambda model=model: predict(image, model, patch_size=256, overlaps=48)
            found = interleaved(
                {name: synchronized(way) for name, way in ways.items()}, options.rounds
            )
            best = found.best(*(name for name in ways if name != "ours"))
            goals.append(Goal(f"{precision}, against {best}", *found.ratio(best, "ours"), 3.0))
            seconds[precision] = found.seconds
            model.release()
    return seconds, goals


def _trainer(careamist: Any, precision: str) -> Any:
    """The trainer that CAREamics makes, on the device and in a precision."""
    from lightning.pytorch import Trainer

    return Trainer(
        accelerator="gpu",
        devices=1,
        precision=precision,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[careamist.prediction_writer],
        default_root_dir=careamist.work_dir,
    )


def settings(options: argparse.Namespace) -> tuple[dict[str, Any], list[Goal]]:
    """Random images and settings; none may fail, and automatic ones leave memory free."""
    rng = np.random.default_rng(0)
    finished, shares, failed = 0, [], []
    for _ in range(SETTINGS_TRIED):
        drawn = draw(rng)
        model = load_model(options.model, device="cuda", precision=drawn.pop("precision"))
        image = rng.integers(0, 4000, drawn.pop("shape"), np.uint16)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        free = torch.cuda.mem_get_info()[0]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = predict(image, model, **drawn)
            assert np.isfinite(made).all()
            finished += 1
        except Exception as error:
            # any exception: it is what is counted
            failed.append(f"{drawn}: {type(error).__name__}: {error}")
        if drawn["patch_size"] == drawn["batch_size"] == "auto":
            shares.append(torch.cuda.max_memory_reserved() / free)
        model.release()
    print(*failed, sep="\n", file=sys.stderr)
    most = max(shares, default=0.0)
    return {"failed": failed, "shares": shares}, [
        Goal(
            "random settings that finished", finished, finished, finished, SETTINGS_TRIED, unit=""
        ),
        Goal(
            "of the free memory, automatic tiles and batch",
            most,
            min(shares, default=0.0),
            most,
            MOST,
            at_most=True,
            unit="",
        ),
    ]


def draw(rng: np.random.Generator) -> dict[str, Any]:
    """Settings, and the image's shape, for one run."""
    edge = int(rng.integers(64, 6000))
    automatic = rng.random() < 0.4
    return {
        "shape": (edge, int(rng.integers(64, 6000))),
        "precision": str(rng.choice([*PRECISIONS, "float16", "auto"])),
        "patch_size": "auto" if automatic else int(rng.integers(16, 512)) * 8,
        "batch_size": "auto" if automatic else int(2 ** rng.integers(0, 11)),
        "output_dtype": str(rng.choice(["float32", "input"])),
    }


PARTS = {"limit": limit, "peers": peers, "settings": settings}


if __name__ == "__main__":
    main()
