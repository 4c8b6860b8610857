from __future__ import annotations

from typing import Any

import pytest

from .zarr_runs import METADATA, SOURCE


@pytest.fixture
def volume(tiled_image: Any) -> Any:
    """A 2D model on TCZYX: C and Z folded, more tiles than chunks end on."""
    return tiled_image(
        "TCZYX",
        (2, 2, 3, 61, 47),
        (24, 24),
        (8, 8),
        fold="ZC",
        source=SOURCE,
        metadata=METADATA,
    )
