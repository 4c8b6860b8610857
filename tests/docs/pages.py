"""The pages whose blocks are run."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]

# more than five seconds
SLOW = frozenset(
    {
        "docs/how-to/custom-stack.md",
        "docs/how-to/large-stacks.md",
        "docs/how-to/model-formats.md",
        "docs/how-to/multichannel.md",
        "docs/how-to/time-series.md",
        "docs/models.md",
        "docs/scripting.md",
        "docs/training.md",
        "docs/workflows.md",
    }
)


def pages() -> list[str]:
    """Paths of all pages, from the checkout's root on."""
    found = [*ROOT.glob("README.md"), *ROOT.glob("CONTRIBUTING.md"), *ROOT.glob("docs/**/*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)
