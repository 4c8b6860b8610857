"""Train the denoiser that comes with the package and write its weights.

    python scripts/train_builtin.py [--checkpoint FILE]

Needs the package and scikit-learn (two of its pictures). CPU only, two threads, fixed seed, no
download. 500 steps take 50 to 55 s and 1.7 CPU minutes on two free cores (AMD EPYC 9004), so about
18 minutes for all 10,000. The weights in the package took 43.5 CPU minutes on two cores that were
busy with other work, in three sittings joined by the checkpoint; training stops at 0.273 of the
noise left. Another processor or thread count rounds differently: expect equal quality, not equal
bytes.
"""

from __future__ import annotations

import argparse
import copy
import math
import resource
import time
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from builtin_images import PACKAGED, Image, photographs, structures
from builtin_noise import degrade
from napari_tessera.models.networks import BiasFreeResidualCNN

WEIGHTS = Path(__file__).parents[1] / "src/napari_tessera/models/weights/denoise2d.safetensors"
FEATURES, BLOCKS = 48, 4
SEED = 20240
STRUCTURES = 150
STRUCTURE_SHARE = 0.5
PATCH = 64
BATCH = 16
STEPS = 10_000
PEAK_RATE = 2e-3
WARM_UP = 300
COSINE_STEPS = 13_700
COOL_DOWN = 6_000
AVERAGING = 0.998
SUM_WEIGHT = 1.0
REPORT_EVERY = 500


class PatchSampler:
    """Draws clean patches in random places, orientations, contrasts and polarities."""

    def __init__(self, photos: list[Image], generated: list[Image]) -> None:
        self.groups = [[torch.from_numpy(i) for i in group] for group in (photos, generated)]
        self.weights = [torch.tensor([i.numel() ** 0.5 for i in group]) for group in self.groups]
        self.means = [torch.stack([i.mean() for i in group]) for group in self.groups]

    def batch(self) -> tuple[Tensor, Tensor]:
        """Return patches (N, 1, Y, X), values 0..1, and the means (N, 1, 1, 1) of their images."""
        patches, means = [], []
        for _ in range(BATCH):
            group = int(torch.rand(()) < STRUCTURE_SHARE)
            chosen = int(torch.multinomial(self.weights[group], 1))
            image, mean = self.groups[group][chosen], self.means[group][chosen]
            y = int(torch.randint(image.shape[0] - PATCH + 1, ()))
            x = int(torch.randint(image.shape[1] - PATCH + 1, ()))
            patch = image[y : y + PATCH, x : x + PATCH]
            turns, flip = int(torch.randint(4, ())), bool(torch.rand(()) < 0.5)
            patch = torch.rot90(patch.T if flip else patch, turns)
            contrast = 0.3 + 0.7 * float(torch.rand(()))
            floor = (1 - contrast) * float(torch.rand(())) * float(torch.rand(()) < 0.5)
            if group == 0 and torch.rand(()) < 0.3:
                patch, mean = 1 - patch, 1 - mean
            patches.append(floor + contrast * patch)
            means.append(floor + contrast * mean)
        return torch.stack(patches)[:, None], torch.stack(means)[:, None, None, None]


def remaining_error(output: Tensor, noisy: Tensor, target: Tensor) -> Tensor:
    """Return the mean share of the noise left over, with a term that keeps the sum of intensities.

    Relative to each patch's own noise, so that faint noise counts as much as strong noise.
    """
    axes = (1, 2, 3)
    floor = 1e-6
    noise = (noisy - target).square().mean(axes) + floor
    error = (output - target).square().mean(axes)
    drift = (output - noisy).mean(axes).square()
    return ((error + SUM_WEIGHT * drift) / noise + 1e-4).sqrt().mean()


def _rate(step: int, steps: int) -> float:
    """Return the learning rate: warm-up, a slow cosine, then straight down to zero at the end."""
    warm_up = (step + 1) / WARM_UP
    cosine = 0.5 * (1 + math.cos(math.pi * max(step - WARM_UP, 0) / COSINE_STEPS))
    cool_down = (steps - step) / COOL_DOWN
    return PEAK_RATE * min(warm_up, cosine, cool_down)


def _keep_first_layer_blind_to_level(network: BiasFreeResidualCNN) -> None:
    """Make first filters sum to zero: the noise estimate then ignores the local grey level."""
    weight = network.head.weight
    with torch.no_grad():
        weight -= weight.mean(dim=(1, 2, 3), keepdim=True)


def _cpu_minutes() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) / 60


def _new_network() -> BiasFreeResidualCNN:
    network = BiasFreeResidualCNN(FEATURES, BLOCKS).to(memory_format=torch.channels_last)
    with torch.no_grad():
        for block in network.body:
            block.second.weight *= 0.3
        network.tail.weight *= 0.3
    _keep_first_layer_blind_to_level(network)
    return network


def train(steps: int, checkpoint: Path | None) -> BiasFreeResidualCNN:
    """Train from scratch and return the network with the averaged weights.

    Every 500 steps the state is written to `checkpoint`; where that file exists, training goes on
    from it.
    """
    started = time.perf_counter()
    sampler = PatchSampler(photographs(), structures(SEED, STRUCTURES))
    torch.manual_seed(SEED)
    network = _new_network()
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=1e-4)
    first = 0
    if checkpoint is not None and checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["random"])
        first = saved["step"]
    running = 0.0
    for step in range(first, steps):
        optimizer.param_groups[0]["lr"] = _rate(step, steps)
        clean, mean = sampler.batch()
        noisy, target = degrade(clean)
        shift = mean + 0.02 * torch.randn_like(mean)
        noisy, target = noisy - shift, target - shift
        loss = remaining_error(network(noisy), noisy, target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        _keep_first_layer_blind_to_level(network)
        with torch.no_grad():
            keep = min(AVERAGING, (step + 1) / (step + 10))
            for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
        running += loss.item()
        if (step + 1) % REPORT_EVERY == 0:
            minutes = (time.perf_counter() - started) / 60
            print(
                f"step {step + 1}/{steps}  noise left {running / REPORT_EVERY:.4f}"
                f"  {minutes:.1f} min  {_cpu_minutes():.1f} core-min",
                flush=True,
            )
            running = 0.0
            if checkpoint is not None:
                state = {
                    "network": network.state_dict(),
                    "average": average.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "random": torch.get_rng_state(),
                    "step": step + 1,
                }
                torch.save(state, checkpoint)
    return average


def write_weights(network: BiasFreeResidualCNN, steps: int, path: Path) -> None:
    """Write the weights as float16 safetensors with what a loader and a reader need to know."""
    tensors = {name: t.half().contiguous() for name, t in network.state_dict().items()}
    training = (
        f"scripts/train_builtin.py: {steps} steps of {BATCH} patches of {PATCH} x {PATCH} px, from"
        f" {len(PACKAGED)} pictures packaged with scikit-image, those of scikit-learn and"
        f" {STRUCTURES} generated images; Gaussian and Poisson-Gaussian noise of random strength"
    )
    metadata = {
        "architecture": type(network).__name__,
        "features": str(FEATURES),
        "blocks": str(BLOCKS),
        "reach": str(network.reach),
        "period": str(network.PERIOD),
        "normalization": "subtract the mean of the image",
        "training": training,
        "seed": str(SEED),
        "licence": "BSD-3-Clause",
    }
    path.write_bytes(save(tensors, metadata=metadata))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--checkpoint", type=Path, help="write the state here, or go on from it")
    chosen = parser.parse_args()
    torch.set_num_threads(2)
    network = train(chosen.steps, chosen.checkpoint)
    write_weights(network, chosen.steps, chosen.output)


if __name__ == "__main__":
    main()
