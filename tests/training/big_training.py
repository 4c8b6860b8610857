"""Train a few steps on an image; print what is done, then the most bytes this process took."""

from __future__ import annotations

import json
import resource
import sys

import torch

from napari_tessera import open_stack
from napari_tessera.training import TrainingSettings, plan_training, train


def main() -> None:
    job = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    settings = TrainingSettings.from_json(job["settings"])
    with (
        open_stack(job["source"], job["axes"]) as stack,
        plan_training(stack, settings, mask=job["mask"]) as plan,
    ):
        print("\n".join(plan.summary))
        train(plan, job["model_out"], device="cpu")
    # macOS counts bytes, Linux kilobytes
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


if __name__ == "__main__":
    main()
