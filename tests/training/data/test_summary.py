"""Lines for people."""

from __future__ import annotations

from .kinds import STREAMED, noise, prepared


def test_what_is_told() -> None:
    data = prepared(noise((100, 80, 80)), "ZYX", patch_size=(16, 16))
    assert data.summary == (
        "2,250 patches of 16 × 16 px a pass",
        "10 % held out for validation: planes 45–54 (250 patches)",
    )
    data = prepared(
        noise((2, 64, 64)), "CYX", patch_size=(8, 8), validation_percent=0, memory=STREAMED
    )
    assert data.summary == (
        "64 patches of 8 × 8 px a pass, 2 channels",
        "nothing is held out for validation",
        "16 KiB are read while training",
    )
    data.close()
