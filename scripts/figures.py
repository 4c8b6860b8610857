"""Figures of the explanation pages and the numbers that their text quotes, from real computations.

    python scripts/figures.py            # computes, draws into docs/images/explanation
    python scripts/figures.py --check    # computes and compares with the numbers that lie there
    python scripts/figures.py --train    # trains scripts/figures_lines.safetensors anew, first

The numbers lie beside the figures in figures.json, with the SHA-256 of each figure that was drawn
with them. --check draws nothing and needs no matplotlib.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "docs" / "images" / "explanation"

MOST_BYTES = 150_000
"""Size of a figure at most."""

SHARE = 0.05
"""By which numbers may differ from those that lie there: processors round differently."""

ROUNDING = 1e-5
"""What differs by rounding alone, as a share of the range."""


def computed(only: list[str] | None = None) -> dict[str, Any]:
    """The numbers of all figures, or of some of them, by figure."""
    import torch

    import figures_misleading
    import figures_noise
    import figures_tiling

    torch.set_num_threads(1)
    numbers = figures_tiling.NUMBERS | figures_noise.NUMBERS | figures_misleading.NUMBERS
    return {name: made() for name, made in numbers.items() if only is None or name in only}


def differences(before: Any, now: Any, where: str = "") -> Iterator[str]:
    """What differs by more than rounding of processors explains, a line each."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before.keys() | now.keys():
            if key in before and key in now:
                yield from differences(before[key], now[key], f"{where}.{key}".lstrip("."))
            else:
                yield f"{where}.{key} is {'new' if key in now else 'gone'}"
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for i, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from differences(one, other, f"{where}[{i}]")
    elif where.endswith("_rounding"):
        if not max(before, now) <= ROUNDING:
            yield f"{where} is {now:g}, more than rounding (it was {before:g})"
    elif isinstance(before, float) and isinstance(now, float):
        if not math.isclose(before, now, rel_tol=SHARE, abs_tol=0.005):
            yield f"{where} is {now:g}, it was {before:g}"
    elif before != now:
        yield f"{where} is {now!r}, it was {before!r}"


def rounded(value: Any) -> Any:
    """Numbers with as many digits as anybody needs, so that the file is short."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def draw(numbers: dict[str, Any], folder: Path) -> dict[str, str]:
    """Draw all figures; returns the SHA-256 of each."""
    from figures_drawn import DRAWN
    from figures_style import save

    hashes = {}
    for name, drawing in DRAWN.items():
        save(drawing(), folder / name)
        content = (folder / name).read_bytes()
        if len(content) > MOST_BYTES:
            raise SystemExit(f"{name} has {len(content):,} bytes, more than {MOST_BYTES:,}")
        hashes[name] = hashlib.sha256(content).hexdigest()
    text = json.dumps({"numbers": rounded(numbers), "figures": hashes}, indent=1)
    (folder / "figures.json").write_text(text + "\n", encoding="utf-8")
    return hashes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, draw nothing")
    parser.add_argument("--train", action="store_true", help="train the model of lines first")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    asked = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    if asked.train:
        from figures_misleading import train_lines

        train_lines()
    numbers = computed()
    if not asked.check:
        asked.folder.mkdir(parents=True, exist_ok=True)
        draw(numbers, asked.folder)
        return 0
    before = json.loads((asked.folder / "figures.json").read_text(encoding="utf-8"))["numbers"]
    found = list(differences(before, numbers))
    print("\n".join(found) or "all numbers are as they were")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
