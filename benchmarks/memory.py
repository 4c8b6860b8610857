"""Peak memory of a run from Zarr to Zarr, for images of several sizes.

    python -m benchmarks.memory [--sizes 2048 32768] [--model NAME] [--json]

Each image is predicted by a process of its own. `--model convolution` is one 3 × 3 convolution, so
that what is measured is reading, tiling and writing, and not a network. The result has the chunks
of the image, if these are 128 pixels to two tiles long, and a row of them is held.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from benchmarks.goals import Goal, print_goals

MB = 10**6

WITHIN = 100
"""Megabytes by which the peaks of all sizes may differ."""


def main(arguments: list[str] | None = None) -> None:
    """Measure each size, and print a table or a line of JSON for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[2048, 32_768])
    parser.add_argument("--model", default="builtin:denoise2d")
    parser.add_argument("--dtype", default="input", help="data type that is written")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--chunk", type=int, default=512, help="length of the image's chunks")
    parser.add_argument("--folder", type=Path, help="where images go; default: a temporary folder")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each size")
    parser.add_argument("--predict", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.predict:
        print(json.dumps(measure(*options.predict, options.model, options.dtype, options.device)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if not options.json:
            print("| image | with libraries | with the model | peak | over the model's | MP/s |")
            print("|---|--:|--:|--:|--:|--:|")
        overs: list[float] = []
        for size in options.sizes:
            source, target = Path(folder) / f"{size}.zarr", Path(folder) / f"{size}_out.ome.zarr"
            make_image(source, size, options.chunk)
            command = [sys.executable, "-m", "benchmarks.memory", "--predict", source, target]
            command += ["--model", options.model, "--dtype", options.dtype]
            command += ["--device", options.device]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found = json.loads(output.splitlines()[-1])
            over = found["peak"] - found["model"]
            overs.append(over / MB)
            if options.json:
                print(json.dumps({"size": size, **found}), flush=True)
                continue
            steps = [found["libraries"], found["model"], found["peak"], over]
            cells = [f"{size}²", *(f"{step / MB:.0f} MB" for step in steps)]
            rate = size**2 / found["seconds"] / 1e6
            print("|", " | ".join([*cells, f"{rate:.1f}"]), "|", flush=True)
            # the next one has the room
            shutil.rmtree(source)
            shutil.rmtree(target)
        apart = max(overs) - min(overs)
        goal = Goal("peaks apart", apart, apart, apart, WITHIN, at_most=True, unit="MB")
        if options.json:
            print(json.dumps(goal.to_json()))
        else:
            print()
            print_goals([goal])


def make_image(path: Path, size: int, chunk: int) -> None:
    """Write a square uint16 plane of noise, all chunks alike."""
    import numpy as np
    import zarr

    noise = np.random.default_rng(0).poisson(400, (chunk, chunk)).astype(np.uint16)
    row = np.tile(noise, -(-size // chunk))[:, :size]
    array = zarr.create_array(path, shape=(size, size), chunks=(chunk, chunk), dtype="uint16")
    for y in range(0, size, chunk):
        array[y : y + chunk] = row[: size - y]


def measure(source: Path, target: Path, model_name: str, dtype: str, device: str) -> dict[str, Any]:
    """Predict an image in this process, and tell bytes of memory and seconds."""
    from torch import nn

    from napari_tessera.models import load_model
    from napari_tessera.prediction import predict_to_disk
    from napari_tessera.stacks import open_stack

    libraries = resident()
    model = load_model(
        nn.Conv2d(1, 1, 3, padding=1, bias=False) if model_name == "convolution" else model_name,
        device=device,
    )
    with_model = resident()
    forget_peak()
    start = time.perf_counter()
    with warnings.catch_warnings():
        # what a run advises is no matter here
        warnings.simplefilter("ignore")
        predict_to_disk(open_stack(source, axes="YX"), model, target, output_dtype=dtype)
    seconds = time.perf_counter() - start
    return {"libraries": libraries, "model": with_model, "peak": peak(), "seconds": seconds}


def resident() -> int:
    """Bytes of memory that this process has now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def forget_peak() -> None:
    """Let the peak be what is used now; only Linux can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak() -> int:
    """Bytes of memory that this process had at most."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        import resource

        # kilobytes on Linux, bytes on macOS
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
