from __future__ import annotations

import json
from datetime import UTC, datetime

from napari_tessera import __version__
from napari_tessera.writing.stored.run_attributes import made_by, software_versions


def test_a_file_is_told_what_made_it_and_that_it_is_finished() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    told = made_by({"patch_size": [8, 8]}, "f00d", {"name": "blur"}, clipped_pixels=3)
    assert before <= datetime.fromisoformat(told.pop("finished")) <= datetime.now(UTC)
    assert told == {
        "version": __version__,
        "versions": software_versions(),
        "plan": {"patch_size": [8, 8]},
        "fingerprint": "f00d",
        "model": {"name": "blur"},
        "clipped_pixels": 3,
    }
    json.dumps(told)
