"""The page on training: what it says of options and numbers is so."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from napari_tessera.cli.app import app
from napari_tessera.models import load_model
from napari_tessera.training import TrainingSettings
from napari_tessera.training.loop.network import make_network, network_settings


@pytest.fixture
def page(pytestconfig: pytest.Config) -> str:
    return (pytestconfig.rootpath / "docs" / "training.md").read_text(encoding="utf-8")


def test_options_that_are_named_are_there(page: str) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    known = {
        option
        for command in ("train", "predict")
        for parameter in commands[command].params
        for option in parameter.opts
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page))
    assert named <= known | {"--help"}
    for option in ("--method", "--target", "--mask", "--resume", "--use-checkpoint"):
        assert option in named


def test_the_defaults_on_the_page(page: str) -> None:
    plain, default = " ".join(page.split()), TrainingSettings()
    two = default.resolved((1, 1, 512, 512))
    three = TrainingSettings(spatial_dims=3).resolved((1, 1, 64, 512, 512))
    reach = load_model(make_network(network_settings(two, 1), 0)).info.reach
    assert reach is not None
    for row in (
        f"| `--steps` | {default.steps} |",
        f"| `--batch-size` | {two.batch_size}, in 3D {three.batch_size} |",
        f"| `--patch-size` | {listed(two.patch_size)}, in 3D {listed(three.patch_size)} |",
        f"| `--depth`, `--features` | {default.depth}, {default.features} |",
        f"| `--masked-percent` | {default.masked_percent} |",
        f"| `--schedule`, `--learning-rate` | {default.schedule} |",
        f"| `--loss` | {two.loss} |",
        f"| `--seed` | {default.seed} |",
        f"every {default.validate_every} steps (`--validate-every`)",
        f"A network of depth {default.depth} looks about {reach[0]} px",
    ):
        assert row in plain, row
    assert default.validation_percent == 10
    assert "A tenth of the image (`--validation-percent`)" in plain


def listed(sizes: tuple[int, ...] | None) -> str:
    return ",".join(map(str, sizes or ()))
