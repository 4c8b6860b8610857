"""A training that is stopped: what is kept, gone on with, and made a model of."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from napari_tessera.cli.interrupts import Interrupted

from .runs import TINY, Command, names, stopped_after

pytestmark = pytest.mark.slow


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

    def test_a_signal_that_was_lost_in_an_import_is_no_error_of_another_kind(
        self, command: Command, image: Path, model: Path, tmp_path: Path
    ) -> None:
        def half_loaded(*given: object, **settings: object) -> None:
            with pytest.raises(Interrupted):
                signal.raise_signal(signal.SIGINT)
            raise RecursionError("a module that was loaded by half")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("napari_tessera.training.plan_training", half_loaded)
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
