"""How much faster prepared networks are, for the built-in model and those in a shared folder.

    python -m benchmarks.preparation ../shared [--threads 2] [--rounds 9]

One tile of 256² through each network as it was loaded, prepared, and in bfloat16, by turns;
medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.precision import cases

SIDE = 256


def seconds(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each way, all of them run by turns, after one round that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            started = time.perf_counter()
            run()
            if number:
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in taken.items()}


def main() -> None:
    """Print a row for each model, as a Markdown table."""
    import torch

    from napari_tessera import load_model

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path, help="folder with data/ and models/")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| model | as loaded | prepared | times faster | bfloat16 | preparing |")
    print("|---|--:|--:|--:|--:|--:|")
    for case in cases(options.shared):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = load_model(case.model, device="cpu", prepare=False)
            fast = load_model(case.model, device="cpu")
            half = load_model(case.model, device="cpu", precision="bfloat16")
            tile = torch.randn(1, plain.in_channels or 1, SIDE, SIDE)
            started = time.perf_counter()
            fast.get_ready()
            preparing = time.perf_counter() - started
            ways = {name: lambda m=model, t=tile: m(t) for name, model in
                    (("plain", plain), ("fast", fast), ("half", half))}  # fmt: skip
            found = seconds(ways, options.rounds)
        cells = [f"{found[name] * 1e3:.1f} ms" for name in ("plain", "fast")]
        cells += [f"{found['plain'] / found['fast']:.2f}", f"{found['half'] * 1e3:.1f} ms"]
        print("|", " | ".join([case.name, *cells, f"{preparing * 1e3:.0f} ms"]), "|", flush=True)


if __name__ == "__main__":
    main()
