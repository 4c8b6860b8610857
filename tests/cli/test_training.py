"""``napari-tessera train``: from an image to a model that ``predict`` takes."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from safetensors.numpy import load_file

from napari_tessera.models.recent import recent_models
from napari_tessera.training.data.source import Batch
from napari_tessera.training.data.training_data import TrainingData

Command = Callable[..., Any]

TINY = (
    "--steps", "12", "--depth", "1", "--features", "4", "--patch-size", "16", "--batch-size", "4",
    "--validate-every", "4", "--masked-percent", "5", "--device", "cpu", "--threads", "1",
)  # fmt: skip


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A noisy YX image, 96×112 uint16."""
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, np.random.default_rng(0).poisson(60, (96, 112)).astype(np.uint16))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Where a model goes."""
    return tmp_path / "out.safetensors"


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


class TestDone:
    @pytest.mark.parametrize("method", ["n2v", "n2v2"])
    def test_what_is_trained_is_predicted_with(
        self, command: Command, image: Path, model: Path, tmp_path: Path, method: str
    ) -> None:
        outcome = command("train", image, model, "--method", method, *TINY)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith(f"{model}: {method}, 2D, 12 steps in 0:00:")
        assert "held out" in outcome.out
        # the state is of no use any more
        assert names(tmp_path) == {"in.tif", "out.safetensors"}
        assert recent_models()[0] == str(model)

        output = tmp_path / "denoised.tif"
        outcome = command("predict", image, output, "-m", model, "--device", "cpu")
        assert (outcome.status, outcome.err) == (0, "")
        made = tifffile.imread(output)
        assert made.shape == (96, 112)
        assert 40 < made.mean() < 80

        outcome = command("info", model)
        assert outcome.status == 0
        assert {"n2v": "Noise2Void", "n2v2": "N2V2"}[method] in outcome.out

    def test_with_a_clean_image_in_3d_of_several_channels(
        self, command: Command, model: Path, tmp_path: Path
    ) -> None:
        clean = np.random.default_rng(1).integers(20, 200, (12, 2, 48, 40)).astype(np.float32)
        noisy = np.random.default_rng(2).poisson(clean).astype(np.uint16)
        for name, pixels in (("noisy", noisy), ("clean", clean)):
            tifffile.imwrite(
                tmp_path / f"{name}.tif", pixels, imagej=True, metadata={"axes": "ZCYX"}
            )
        words = [*TINY, "--patch-size", "4,16,16", "--dims", "3", "--joint-channels"]
        outcome = command(
            "train", tmp_path / "noisy.tif", model, "--method", "supervised", "--target",
            tmp_path / "clean.tif", "--axes", "ZCYX", *words,
        )  # fmt: skip
        assert (outcome.status, outcome.err) == (0, "")
        assert "supervised, 3D, 12 steps" in outcome.out
        output = tmp_path / "denoised.npy"
        outcome = command("predict", tmp_path / "noisy.tif", output, "-m", model, "--axes", "ZCYX")
        assert (outcome.status, outcome.err) == (0, "")
        assert np.load(output).shape == noisy.shape

    def test_one_channel_of_several(self, command: Command, model: Path, tmp_path: Path) -> None:
        source = tmp_path / "in.tif"
        pixels = np.random.default_rng(1).poisson(60, (3, 64, 64)).astype(np.uint16)
        tifffile.imwrite(source, pixels, imagej=True, metadata={"axes": "CYX"})
        outcome = command("train", source, model, "--channels", "1", *TINY)
        assert (outcome.status, outcome.err) == (0, "")
        outcome = command("models", "info", model, "--json")
        assert json.loads(outcome.out)["in_channels"] == 1

    def test_inside_a_mask(
        self, command: Command, image: Path, model: Path, tmp_path: Path
    ) -> None:
        mask = np.zeros((96, 112), np.uint8)
        mask[:, :60] = 1
        tifffile.imwrite(tmp_path / "mask.tif", mask)
        outcome = command("train", image, model, "--mask", tmp_path / "mask.tif", *TINY)
        assert (outcome.status, outcome.err) == (0, "")

    def test_in_the_foreground(self, command: Command, model: Path, tmp_path: Path) -> None:
        y, x = np.mgrid[:128, :128]
        cell = 200 * np.exp(-((y - 40) ** 2 + (x - 70) ** 2) / 800)
        noisy = np.random.default_rng(0).poisson(10 + cell).astype(np.uint16)
        tifffile.imwrite(tmp_path / "in.tif", noisy)
        outcome = command("train", tmp_path / "in.tif", model, "--mask", "foreground", *TINY)
        assert (outcome.status, outcome.err) == (0, "")

    def test_what_is_broken_is_left_out_and_told(
        self, command: Command, model: Path, tmp_path: Path
    ) -> None:
        pixels = np.random.default_rng(0).normal(60, 8, (96, 112)).astype(np.float32)
        pixels[33, 70:75] = np.nan
        tifffile.imwrite(tmp_path / "in.tif", pixels)
        outcome = command("train", tmp_path / "in.tif", model, *TINY)
        assert outcome.status == 0
        assert outcome.line.startswith("napari-tessera: warning: 5 pixels are NaN or infinite")
        output = tmp_path / "denoised.npy"
        command("predict", tmp_path / "in.tif", output, "-m", model)
        assert np.load(output).shape == (96, 112)

    def test_json_tells_each_part(self, command: Command, image: Path, model: Path) -> None:
        outcome = command("train", image, model, *TINY, "--progress", "json")
        assert outcome.status == 0
        events = [json.loads(line) for line in outcome.err.splitlines()]
        assert {event["event"] for event in events} == {"planned", "progress", "finished"}
        first, last = events[0], events[-2]
        assert first["settings"]["steps"] == 12
        assert first["settings"]["patch_size"] == [16, 16]
        assert first["channels"] == 1
        assert first["statistics"]["means"][0] == pytest.approx(60, abs=3)
        assert (last["step"], last["steps"], last["seconds_left"]) == (12, 12, 0.0)
        assert last["training_loss"] > 0
        assert last["validation_loss"] > 0
        assert events[-1] == {
            "event": "finished", "path": str(model), "step": 12, "steps": 12
        }  # fmt: skip


@pytest.fixture
def refused(command: Command, model: Path, tmp_path: Path) -> Callable[..., str]:
    """Train into a new file: status 1, nothing written; give the line on stderr."""

    def call(source: Path, *words: str | Path, output: Path | None = None) -> str:
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        target = model if output is None else output
        outcome = command("train", source, target, *TINY, *words)
        assert outcome.status == 1, outcome
        assert outcome.out == ""
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
        assert outcome.line.startswith("napari-tessera: error: ")
        assert "--debug" not in outcome.line, "no error that was foreseen"
        return str(outcome.line)

    return call


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Save an image."""

    def save(pixels: Any, name: str = "in.tif", **facts: Any) -> Path:
        tifffile.imwrite(tmp_path / name, np.asarray(pixels), **facts)
        return tmp_path / name

    return save


class TestImages:
    @pytest.mark.parametrize("level", [0, 7])
    def test_without_contrast(
        self, refused: Callable[..., str], saved: Callable[..., Path], level: int
    ) -> None:
        line = refused(saved(np.full((96, 112), level, np.uint16)))
        assert str(level) in line

    @pytest.mark.parametrize("shape", [(15, 112), (96, 8), (1, 1)])
    def test_fewer_pixels_than_a_patch(
        self, refused: Callable[..., str], saved: Callable[..., Path], shape: tuple[int, int]
    ) -> None:
        pixels = np.random.default_rng(0).poisson(60, shape).astype(np.uint16)
        assert "16" in refused(saved(pixels))

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_pixels_that_are_no_numbers(
        self, refused: Callable[..., str], saved: Callable[..., Path], bad: float
    ) -> None:
        pixels = np.random.default_rng(0).normal(60, 8, (96, 112)).astype(np.float32)
        pixels[::12, ::12] = bad
        line = refused(saved(pixels))
        assert "80 pixels that are NaN or infinite (the first at Y=0 X=0)" in line

    def test_a_mask_with_nothing_inside(
        self, refused: Callable[..., str], image: Path, saved: Callable[..., Path]
    ) -> None:
        mask = saved(np.zeros((96, 112), np.uint8), "mask.tif")
        assert "mask" in refused(image, "--mask", mask)

    def test_a_mask_of_another_size(
        self, refused: Callable[..., str], image: Path, saved: Callable[..., Path]
    ) -> None:
        line = refused(image, "--mask", saved(np.ones((96, 111), np.uint8), "mask.tif"))
        assert "111" in line
        assert "112" in line

    def test_a_mask_that_is_not_there(self, refused: Callable[..., str], image: Path) -> None:
        assert "nomask.tif" in refused(image, "--mask", "nomask.tif")

    def test_planes_are_no_volume(self, refused: Callable[..., str], image: Path) -> None:
        assert "Z" in refused(image, "--dims", "3", "--patch-size", "auto")

    def test_axes_that_do_not_fit(self, refused: Callable[..., str], image: Path) -> None:
        assert "ZYX" in refused(image, "--axes", "ZYX")

    def test_an_image_that_is_not_there(self, refused: Callable[..., str], tmp_path: Path) -> None:
        assert "none.tif" in refused(tmp_path / "none.tif")

    @pytest.mark.skipif(sys.platform == "darwin", reason="no device of CUDA there, another line")
    def test_a_device_that_is_not_there(self, refused: Callable[..., str], image: Path) -> None:
        assert "cuda:9" in refused(image, "--device", "cuda:9")


class TestTargets:
    @pytest.fixture
    def against(self, refused: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
        def call(noisy: Any, clean: Any, *words: str) -> str:
            for name, pixels in (("in.tif", noisy), ("clean.tif", clean)):
                tifffile.imwrite(tmp_path / name, np.asarray(pixels), photometric="minisblack")
            target = ("--method", "supervised", "--target", tmp_path / "clean.tif")
            return refused(tmp_path / "in.tif", *target, *words)

        return call

    def test_of_another_number_of_channels(self, against: Callable[..., str]) -> None:
        noise = np.random.default_rng(0).poisson(60, (3, 64, 64)).astype(np.uint16)
        line = against(noise, noise[:2], "--axes", "CYX")
        assert "2" in line
        assert "3" in line

    def test_of_another_size(self, against: Callable[..., str]) -> None:
        noise = np.random.default_rng(0).poisson(60, (96, 112)).astype(np.uint16)
        line = against(noise, noise[:90])
        assert "90" in line
        assert "96" in line

    def test_without_contrast(self, against: Callable[..., str]) -> None:
        noise = np.random.default_rng(0).poisson(60, (96, 112)).astype(np.uint16)
        assert "0" in against(noise, np.zeros_like(noise))

    def test_pixels_that_are_no_numbers(self, against: Callable[..., str]) -> None:
        noise = np.random.default_rng(0).normal(60, 8, (96, 112)).astype(np.float32)
        clean = noise.copy()
        clean[:] = np.nan
        assert "NaN or infinite" in against(noise, clean)

    def test_that_is_not_there(
        self, refused: Callable[..., str], image: Path, tmp_path: Path
    ) -> None:
        words = ("--method", "supervised", "--target", tmp_path / "none.tif")
        assert "none.tif" in refused(image, *words)


class TestPlaces:
    def test_a_missing_folder(
        self, refused: Callable[..., str], image: Path, tmp_path: Path
    ) -> None:
        assert "nowhere" in refused(image, output=tmp_path / "nowhere" / "net.safetensors")

    def test_a_folder_with_the_name(
        self, refused: Callable[..., str], image: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "net.safetensors").mkdir()
        assert "net.safetensors" in refused(image, output=tmp_path / "net.safetensors")
        assert "net.safetensors" in refused(
            image, "--overwrite", output=tmp_path / "net.safetensors"
        )

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /proc")
    def test_a_folder_that_cannot_be_written_to(
        self, refused: Callable[..., str], image: Path
    ) -> None:
        assert "/proc" in refused(image, output=Path("/proc/self/net.safetensors"))

    @pytest.mark.parametrize("name", ["net.pt", "net", "net.ckpt", "net.safetensors.gz"])
    def test_another_ending(
        self, refused: Callable[..., str], image: Path, tmp_path: Path, name: str
    ) -> None:
        line = refused(image, output=tmp_path / name)
        assert ".safetensors" in line
        assert name in line

    def test_a_model_that_is_there(
        self, command: Command, refused: Callable[..., str], image: Path, model: Path
    ) -> None:
        model.write_bytes(b"of somebody")
        line = refused(image)
        assert model.name in line
        assert "--overwrite" in line
        assert model.read_bytes() == b"of somebody"
        outcome = command("train", image, model, *TINY, "--overwrite")
        assert (outcome.status, outcome.err) == (0, "")
        assert command("info", model).status == 0

    def test_a_checkpoint_that_is_there(
        self, command: Command, refused: Callable[..., str], image: Path, model: Path
    ) -> None:
        """Hours of work are not replaced unasked."""
        stopped_after(4, command, image, model)
        line = refused(image)
        assert "out.safetensors.training" in line
        assert "--resume" in line
        assert "--overwrite" in line
        assert command("train", image, model, *TINY, "--overwrite").status == 0


def stopped_after(
    step: int, command: Command, *words: str | Path, signum: signal.Signals = signal.SIGINT
) -> Any:
    """Run ``train`` with a signal that comes while the batch of a step is made."""
    batch_of = TrainingData.training_batch

    def training_batch(self: TrainingData, at: int, batch_size: int) -> Batch:
        if at == step:
            signal.raise_signal(signum)
        return batch_of(self, at, batch_size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingData, "training_batch", training_batch)
        return command("train", *words, *TINY)


class TestStopped:
    @pytest.mark.parametrize(
        ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
    )
    def test_the_state_is_kept_and_gone_on_with(
        self,
        command: Command,
        image: Path,
        model: Path,
        tmp_path: Path,
        signum: signal.Signals,
        status: int,
    ) -> None:
        outcome = stopped_after(4, command, image, model, signum=signum)
        assert outcome.status == status
        assert outcome.out == ""
        heard, line = outcome.err.strip().splitlines()
        assert "stopping" in heard
        done = int(line.split("interrupted: ")[1].split(" of 12 steps")[0])
        assert 4 <= done < 12
        assert f"steps are in {model}.training" in line
        assert "--resume" in line
        assert "--use-checkpoint" in line
        assert names(tmp_path) == {"in.tif", f"{model.name}.training"}

        whole = tmp_path / "whole.safetensors"
        assert command("train", image, whole, *TINY).status == 0
        again = command("train", image, model, *TINY, "--resume")
        assert (again.status, again.err) == (0, "")
        assert names(tmp_path) == {"in.tif", model.name, whole.name}
        expected, made = load_file(whole), load_file(model)
        assert expected.keys() == made.keys()
        assert all(np.array_equal(expected[key], made[key]) for key in expected)

    def test_a_model_is_made_of_the_state_as_it_is(
        self, command: Command, image: Path, model: Path, tmp_path: Path
    ) -> None:
        stopped_after(4, command, image, model)
        outcome = command("train", image, model, *TINY, "--use-checkpoint")
        assert (outcome.status, outcome.err) == (0, "")
        assert "of 12 steps" in outcome.out
        output = tmp_path / "denoised.npy"
        assert command("predict", image, output, "-m", model).status == 0
        assert np.isfinite(np.load(output)).all()

    def test_no_state_no_model_of_it(
        self, refused: Callable[..., str], image: Path, model: Path
    ) -> None:
        line = refused(image, "--use-checkpoint")
        assert f"{model.name}.training" in line

    def test_a_signal_before_the_first_step_leaves_nothing(
        self, command: Command, image: Path, model: Path, tmp_path: Path
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "napari_tessera.training.plan_training",
                lambda *given, **settings: signal.raise_signal(signal.SIGINT),
            )
            outcome = command("train", image, model, *TINY)
        assert outcome.status == 130
        assert "nothing was written" in outcome.line
        assert names(tmp_path) == {"in.tif"}

    def test_resume_without_a_state_begins_and_says_so(
        self, command: Command, image: Path, model: Path
    ) -> None:
        outcome = command("train", image, model, *TINY, "--resume")
        assert outcome.status == 0
        assert f"{model.name}.training" in outcome.line
        assert "begin" in outcome.line

    def test_resume_of_what_is_done_leaves_it(
        self, command: Command, refused: Callable[..., str], image: Path, model: Path
    ) -> None:
        assert command("train", image, model, *TINY).status == 0
        assert model.name in refused(image, "--resume")

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--steps", "13"], "12"),
            (["--seed", "5"], "seed"),
            (["--method", "n2v2"], "n2v2"),
            (["--patch-size", "32"], "patch size"),
        ],
    )
    def test_resume_with_other_settings_is_refused(
        self,
        command: Command,
        refused: Callable[..., str],
        image: Path,
        model: Path,
        words: list[str],
        said: str,
    ) -> None:
        stopped_after(4, command, image, model)
        line = refused(image, "--resume", *words)
        assert said in line
        assert words[1] in line
        assert f"{model.name}.training" in line

    def test_resume_on_another_image_is_refused(
        self,
        command: Command,
        refused: Callable[..., str],
        image: Path,
        model: Path,
        saved: Callable[..., Path],
    ) -> None:
        stopped_after(4, command, image, model)
        pixels = np.random.default_rng(1).poisson(60, (96, 112)).astype(np.uint16)
        other = saved(pixels, "other.tif")
        assert f"{model.name}.training" in refused(other, "--resume")

    def test_a_damaged_state_is_refused(
        self, command: Command, refused: Callable[..., str], image: Path, model: Path
    ) -> None:
        stopped_after(4, command, image, model)
        state = model.with_name(f"{model.name}.training")
        state.write_bytes(state.read_bytes()[:-100])
        assert state.name in refused(image, "--resume")
