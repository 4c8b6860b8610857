"""Train a few steps on the image named, and print what this process took at most, in bytes."""

from __future__ import annotations

import json
import resource
import sys

import torch

from napari_tessera import open_stack
from napari_tessera.training import TrainingSettings, train


def main() -> None:
    job = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    with open_stack(job["source"], job["axes"]) as stack:
        train(
            stack,
            job["model_out"],
            mask=job["mask"],
            settings=TrainingSettings.from_json(job["settings"]),
            device="cpu",
        )
    # macOS counts bytes, Linux kilobytes
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


if __name__ == "__main__":
    main()
