"""Exported models in the software that they are for. Run with ``tox -e interop``.

Each is loaded by CAREamics or bioimageio.core itself, predicts, and has to give the pixels that
the model gives here.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_tessera import load_model, open_stack, predict
from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.exporting import export_model
from napari_tessera.models.own_format import read_trained

from ..models import own_files

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    careamics = pytest.importorskip("careamics")
    core = pytest.importorskip("bioimageio.core")
    spec = pytest.importorskip("bioimageio.spec")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

CLOSE = 1e-5
"""Largest difference, as a share of the output's range."""

MODELS: dict[str, tuple[UNetSettings, dict[str, Any]]] = {
    "n2v": (UNetSettings(2, depth=2, features=8), {}),
    "n2v far from zero": (UNetSettings(2, depth=2, features=8), {"mean": 30_000.3}),
    "n2v2": (UNetSettings(2, depth=2, features=8, n2v2=True), {}),
    "n2v of 3 channels": (UNetSettings(2, 3, 3, depth=1, features=8), {}),
    "n2v2 of 2 channels, mixed": (
        UNetSettings(2, 2, 2, depth=2, features=8, independent=False, n2v2=True),
        {},
    ),
    "n2v without norms": (UNetSettings(2, depth=3, features=10, batch_norm=False), {}),
    "n2v in 3D": (UNetSettings(3, depth=1, features=8), {}),
    "n2v2 in 3D of 2 channels": (UNetSettings(3, 2, 2, depth=1, features=8, n2v2=True), {}),
    "care": (UNetSettings(2, depth=2, features=8), {"target": True}),
    "care of 2 channels": (UNetSettings(2, 2, 2, depth=1, features=8), {"target": True}),
    "care of 2 to 1": (
        UNetSettings(2, 2, 1, depth=1, features=8, independent=False),
        {"target": True},
    ),
    "care of 1 to 2": (UNetSettings(2, 1, 2, depth=1, features=8), {"target": True}),
    "care in 3D": (UNetSettings(3, depth=1, features=8), {"target": True}),
}


@pytest.fixture(params=MODELS, ids=str)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    settings, further = MODELS[request.param]
    return own_files.saved(tmp_path / "model.safetensors", settings, **further)


def picture(path: Path) -> NDArray[np.float32]:
    """Grey levels as the model knows them, C(Z)YX; multiples of 8, as CAREamics pads nothing."""
    document = read_trained(path).document
    statistics = own_files.Levels(document.means, document.stds)
    sizes = (64, 72) if document.settings.spatial_dims == 2 else (16, 40, 48)
    return own_files.image(document.settings, statistics, *sizes)


def ours(path: Path, image: NDArray[np.float32]) -> NDArray[np.float32]:
    axes = "CYX" if image.ndim == 3 else "CZYX"
    return np.asarray(predict(open_stack(image, axes), load_model(path, device="cpu")))


def check_same(found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= CLOSE * np.ptp(expected)


def test_careamics_predicts_the_same(model: Path, tmp_path: Path) -> None:
    image = picture(model)
    expected = ours(model, image)
    path = export_model(model, tmp_path / "exported.ckpt")
    check_same(ours(path, image), expected)
    trainer = careamics.CAREamist(
        checkpoint_path=path, work_dir=tmp_path, enable_progress_bar=False
    )
    axes = trainer.config.data_config.axes
    given = image if "C" in axes else image[0]
    found, _ = trainer.predict(given, tile_size=None, num_workers=0)
    check_same(np.reshape(found[0], expected.shape), expected)


def test_careamics_goes_on_training_it(tmp_path: Path) -> None:
    model = own_files.saved(tmp_path / "model.safetensors")
    path = export_model(model, tmp_path / "exported.ckpt")
    before = torch.load(path, weights_only=True)["state_dict"]
    trainer = careamics.CAREamist(
        checkpoint_path=path, work_dir=tmp_path, enable_progress_bar=False
    )
    weights = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    for key, value in before.items():
        assert torch.equal(weights[key], value), key
    trainer.trainer.fit_loop.max_epochs = 1
    trainer.trainer.limit_train_batches = 1
    settings = read_trained(model).document.settings
    (image,) = own_files.image(settings, own_files.levels(settings), 256, 256)
    trainer.train(train_data=image)
    assert trainer.trainer.global_step == 1
    now = trainer.model.state_dict()
    key = "model.final_conv.weight"
    assert not torch.equal(now[key], weights[key])
    # a step from there, and no new beginning
    assert torch.allclose(now[key], weights[key], atol=0.01)


def test_a_package_is_valid_and_passes_its_own_test(model: Path, tmp_path: Path) -> None:
    path = export_model(
        model, tmp_path / "exported.zip", authors=["Ada Lovelace"], licence="CC-BY-4.0"
    )
    summary = core.test_model(path)
    assert summary.status == "passed", summary.format()
    description = spec.load_model_description(path)
    assert str(description.license) == "CC-BY-4.0"
    assert [author.name for author in description.authors] == ["Ada Lovelace"]
    assert description.cite


def test_a_package_predicts_the_same(model: Path, tmp_path: Path) -> None:
    path = export_model(model, tmp_path / "exported.zip")
    description = spec.load_model_description(path)
    document = read_trained(model).document
    statistics = own_files.Levels(document.means, document.stds)
    least = [axis.size.min for axis in description.inputs[0].axes[2:]]
    image = own_files.image(document.settings, statistics, *least)
    expected = ours(model, image)
    check_same(ours(path, image), expected)
    sample = core.digest_spec.create_sample_for_model(description, inputs=image[None])
    with core.create_prediction_pipeline(description, weight_format="torchscript") as pipeline:
        found = pipeline.predict_sample_without_blocking(
            sample, skip_input_padding=True, skip_output_cropping=True
        )
    (member,) = found.members.values()
    check_same(np.asarray(member.data.to_numpy())[0], expected)


def test_a_package_in_blocks_joins_exactly(tmp_path: Path) -> None:
    """With the halo that it declares, blocks of other software meet as tiles do here."""
    model = own_files.saved(tmp_path / "model.safetensors")
    settings = read_trained(model).document.settings
    image = own_files.image(settings, own_files.levels(settings), 256, 256)
    path = export_model(model, tmp_path / "exported.zip")
    description = spec.load_model_description(path)
    sample = core.digest_spec.create_sample_for_model(description, inputs=image[None])
    with core.create_prediction_pipeline(description, weight_format="torchscript") as pipeline:
        found = pipeline.predict_sample_with_blocking(sample)
    (member,) = found.members.values()
    inner = (slice(None), slice(40, -40), slice(40, -40))
    check_same(np.asarray(member.data.to_numpy())[0][inner], ours(model, image)[inner])


def test_a_package_without_author_and_licence_is_valid(tmp_path: Path) -> None:
    model = own_files.saved(tmp_path / "m.safetensors", training={}, test=False)
    description = spec.load_model_description(export_model(model, tmp_path / "exported.zip"))
    assert not isinstance(description, spec.InvalidDescr)
    assert description.license is None
    assert not description.authors


def test_torchscript_predicts_the_same(model: Path, tmp_path: Path) -> None:
    """Of PyTorch alone: grey levels in, grey levels out."""
    image = picture(model)
    expected = ours(model, image)
    path = export_model(model, tmp_path / "exported.pt")
    check_same(ours(path, image), expected)
    net = torch.jit.load(path).eval()
    with torch.no_grad():
        check_same(net(torch.from_numpy(image[None]))[0].numpy(), expected)
