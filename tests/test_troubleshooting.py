"""Whatever is said to people has an entry in docs/troubleshooting, and no entry is left behind."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import tifffile

from napari_tessera import load_model, open_stack, predict, predict_to_disk
from napari_tessera.cli import run
from napari_tessera.patching import patching_config_from_dict
from napari_tessera.prediction import plan_prediction
from napari_tessera.prediction.cluster.addresses import parse_scheduler
from napari_tessera.training import TrainingSettings, train
from napari_tessera.widgets.remembered.settings_file import read_settings

ROOT = Path(__file__).resolve().parents[1]


def _messages() -> Any:
    """The module scripts/messages.py, whose folder is on nobody's path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "scripts"))
        return importlib.import_module("messages")


messages = _messages()
Message, compare, spoken = messages.Message, messages.compare, messages.spoken

WIDEST = 15
"""Messages that one entry with an ellipsis may stand for; more, and it says nothing of them."""


@pytest.fixture(scope="module")
def said() -> list[Any]:
    return spoken()


@pytest.fixture(scope="module")
def written() -> list[Any]:
    return messages.entries()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "src" / "package"
    folder.mkdir(parents=True)
    return folder


class TestPages:
    def test_each_message_has_an_entry(self, said: list[Any], written: list[Any]) -> None:
        missing, _ = compare(said, written)
        lines = "\n".join(f"{one.place}: {one.text}" for one in missing)
        assert not missing, (
            f"no entry in docs/troubleshooting for what is said here; put the message where its "
            f"subject is, as a heading or a line of a list:\n{lines}"
        )

    def test_each_entry_is_about_a_message(self, said: list[Any], written: list[Any]) -> None:
        _, old = compare(said, written)
        lines = "\n".join(f"{one.place}: {one.text}" for one in old)
        assert not old, f"nothing says this any more; take the entry out, or mend it:\n{lines}"

    def test_no_entry_stands_for_everything(self, said: list[Any], written: list[Any]) -> None:
        texts = {one.text for one in said}
        wide = {
            entry.text: count
            for entry in written
            if (count := sum(entry.is_about(Message("", text)) for text in texts)) > WIDEST
        }
        assert not wide

    def test_no_entry_stands_twice_on_a_page(self, written: list[Any]) -> None:
        seen = [(one.place.split(":")[0], one.text) for one in written]
        assert sorted(seen) == sorted(set(seen))

    def test_all_subjects_are_on_the_first_page(self) -> None:
        first = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
        for page in (ROOT / "docs" / "troubleshooting").glob("*.md"):
            assert f"(troubleshooting/{page.name})" in first

    def test_there_is_a_lot_to_say(self, said: list[Any]) -> None:
        """The walker finds what it should: some of each kind of place."""
        texts = {one.text for one in said}
        assert len(texts) > 1000
        assert "axes …: … stands … times; use each letter at most once" in texts
        assert "it is empty (0 bytes)" in texts, "returned by a function"
        assert "the view is in 3D: switch to 2D display to compare models on it" in texts
        assert "memory ran out on …: … patches go through the network at once instead of …" in texts


class TestWalker:
    def test_errors_and_their_place(self, sources: Path) -> None:
        (sources / "a.py").write_text(
            'def f(size):\n    raise ValueError(f"size {size} is small: use {2 * size}", "it")\n'
        )
        assert spoken(sources) == [
            Message("src/package/a.py:2", "size … is small: use …"),
        ]

    def test_texts_behind_names(self, sources: Path) -> None:
        (sources / "a.py").write_text(
            "from package.b import GONE, why\n"
            "def f(x):\n"
            "    if x:\n"
            "        raise ValueError(GONE)\n"
            "    self.message.say(why(x))\n"
        )
        (sources / "b.py").write_text(
            'GONE = "the image is gone"\nOTHER = "nobody ever says this"\n'
            'def why(x):\n    return "it is too early for this" if x else "it is too late"\n'
        )
        assert {one.text for one in spoken(sources)} == {
            "the image is gone",
            "it is too early for this",
            "it is too late",
        }

    def test_mistakes_of_the_package_itself_are_left_out(self, sources: Path) -> None:
        (sources / "a.py").write_text('raise AssertionError("this cannot be reached at all")\n')
        assert spoken(sources) == []

    def test_what_differs_is_named(self) -> None:
        said = [Message("a.py:1", "size … is too small"), Message("a.py:2", "there is no model …")]
        written = [Message("b.md:1", "size … is too …"), Message("b.md:2", "there is no image …")]
        assert compare(said, written) == ([said[1]], [written[1]])

    @pytest.mark.parametrize(
        ("entry", "text", "fits"),
        [
            ("no … of …", "no end of things", True),
            ("no … of …", "no end", False),
            ("a…a", "a", False),
            ("…: give …", "size 3: give 4", True),
            ("size …", "a size 3", False),
        ],
    )
    def test_an_ellipsis_is_anything(self, entry: str, text: str, fits: bool) -> None:
        assert Message("", entry).is_about(Message("", text)) is fits

    def test_it_reads_the_package(self) -> None:
        assert (messages.SOURCES / "__init__.py").is_file()


def _text(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _same(x: Any) -> Any:
    return x


def _plan(**settings: Any) -> Any:
    image = settings.pop("image", np.ones((2, 64, 80), "float32"))
    axes = settings.pop("axes", "ZYX")
    return plan_prediction(open_stack(image, axes), load_model(_same, spatial_dims=2), **settings)


def _save(folder: Path, name: str, **settings: Any) -> Any:
    return predict_to_disk(np.ones((64, 64), "float32"), _same, folder / name, **settings)


def _existing(folder: Path) -> Path:
    """A store that is not ours, with a file of somebody's in it."""
    (folder / "photos.zarr").mkdir()
    return _text(folder, "photos.zarr/holiday.jpg", b"sunshine").parent


def _cut_tiff(folder: Path) -> Path:
    tifffile.imwrite(folder / "whole.tif", np.ones((64, 64), "uint16"))
    return _text(folder, "cut.tif", (folder / "whole.tif").read_bytes()[:200])


def _cut_npy(folder: Path) -> Path:
    np.save(folder / "whole.npy", np.ones((64, 64)))
    return _text(folder, "cut.npy", (folder / "whole.npy").read_bytes()[:3000])


def _zipped(folder: Path) -> Path:
    with ZipFile(folder / "model.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    return folder / "model.zip"


def _resumed(folder: Path, **settings: Any) -> Any:
    _save(folder, "a.ome.zarr", patch_size=32)
    return _save(folder, "a.ome.zarr", resume=True, **settings)


def _resumed_tiff(folder: Path) -> Any:
    return _save(folder, "a.tif", resume=True)


def _over_itself(folder: Path) -> Any:
    tifffile.imwrite(folder / "in.ome.tif", np.ones((64, 64), "float32"))
    return predict_to_disk(folder / "in.ome.tif", _same, folder / "in.ome.tif", overwrite=True)


BAD: dict[str, Callable[[Path], Any]] = {
    "images: missing": lambda f: open_stack(f / "none.tif"),
    "images: no image": lambda f: open_stack(_text(f, "in.txt", "no pixels here")),
    "images: other content": lambda f: open_stack(_text(f, "in.tif", "no pixels here")),
    "images: cut off": lambda f: open_stack(_cut_tiff(f)),
    "images: cut npy": lambda f: open_stack(_cut_npy(f)),
    "images: empty name": lambda f: open_stack(""),
    "images: NUL": lambda f: open_stack("a\0b"),
    "images: no TIFF in it": lambda f: open_stack(f / "*.tif"),
    "images: complex": lambda f: open_stack(np.ones((8, 8), complex), "YX"),
    "images: text": lambda f: open_stack(np.full((8, 8), "a"), "YX"),
    "images: channel outside": lambda f: open_stack(np.ones((2, 8, 8)), "CYX", channels=[5]),
    "images: channel twice": lambda f: open_stack(np.ones((2, 8, 8)), "CYX", channels=[0, 0]),
    "images: no channel": lambda f: open_stack(np.ones((2, 8, 8)), "CYX", channels=[]),
    "axes: too few": lambda f: open_stack(np.ones((2, 8, 8)), "YX"),
    "axes: twice": lambda f: open_stack(np.ones((2, 8, 8)), "YYX"),
    "axes: unknown": lambda f: open_stack(np.ones((2, 8, 8)), "QYX"),
    "axes: no X": lambda f: open_stack(np.ones((2, 8)), "ZY"),
    "axes: empty": lambda f: open_stack(np.ones((0, 8, 8)), "ZYX"),
    "axes: no such axis": lambda f: _plan(region={"T": 0}),
    "axes: empty region": lambda f: _plan(region={"Y": slice(5, 5)}),
    "axes: no mapping": lambda f: _plan(region=[1, 2]),
    "axes: gain": lambda f: _plan(camera_gain=-1),
    "axes: all NaN": lambda f: _plan(image=np.full((64, 64), np.nan), axes="YX").warnings[0],
    "axes: no shape": lambda f: _plan(inside=[]),
    "tiles: too many numbers": lambda f: _plan(patch_size=(16, 64, 64)),
    "tiles: not whole": lambda f: _plan(patch_size=(6.5, 64)),
    "tiles: overlap": lambda f: _plan(patch_size=64, overlaps=64),
    "tiles: odd overlap": lambda f: _plan(patch_size=64, overlaps=17),
    "tiles: batch": lambda f: _plan(batch_size=0),
    "tiles: blending": lambda f: _plan(blending="hard"),
    "models: missing": lambda f: load_model(f / "none.pt"),
    "models: empty": lambda f: load_model(_text(f, "a.pt", "")),
    "models: no model": lambda f: load_model(_text(f, "a.bin", b"this is no model" * 10)),
    "models: Python": lambda f: load_model(_text(f, "a.py", "import torch\n")),
    "models: Git LFS": lambda f: load_model(
        _text(f, "a.pt", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    ),
    "models: web page": lambda f: load_model(_text(f, "a.pt", "<!DOCTYPE html><html></html>")),
    "models: zip": lambda f: load_model(_zipped(f)),
    "models: not built in": lambda f: load_model("builtin:nothing"),
    "models: a number": lambda f: load_model(3),  # type: ignore[arg-type]
    "models: dimensions": lambda f: load_model(_same, spatial_dims=4),  # type: ignore[arg-type]
    "behaviour: other size": lambda f: predict(np.ones((64, 64)), lambda x: x[..., ::3]),
    "memory: device": lambda f: load_model(_same, device="cuda:99"),
    "saving: exists": lambda f: (_save(f, "a.ome.zarr"), _save(f, "a.ome.zarr")),
    "saving: no folder": lambda f: _save(f, "nowhere/a.ome.zarr"),
    "saving: ending": lambda f: _save(f, "a.png"),
    "saving: resume a TIFF": _resumed_tiff,
    "saving: another run": lambda f: _resumed(f, patch_size=48),
    "saving: both": lambda f: _resumed(f, overwrite=True),
    "saving: somebody's": lambda f: _save(f, _existing(f).name, overwrite=True),
    "saving: over the input": _over_itself,
    "stores: read only": lambda f: predict_to_disk(
        np.ones((8, 8)), _same, "https://example.org/a.ome.tif"
    ),
    "clusters: address": lambda f: parse_scheduler("ftp://host:8786"),
    "clusters: port": lambda f: parse_scheduler("tcp://host:99999"),
    "training: loss": lambda f: TrainingSettings(method="n2v", loss="l1"),
    "training: span": lambda f: TrainingSettings(struct_axis="x", struct_span=4),
    "training: patience": lambda f: TrainingSettings(patience=3, validation_percent=0),
    "training: small": lambda f: train(
        np.eye(8, dtype="float32"),
        f / "a.safetensors",
        settings=TrainingSettings(patch_size=(64, 64)),
    ),
    "training: all alike": lambda f: train(np.ones((96, 96), "float32"), f / "a.safetensors"),
    "window: no settings": lambda f: read_settings(_text(f, "a.json", "[1, 2")),
    "python: unknown patching": lambda f: patching_config_from_dict({"name": "spiral"}),
    "python: closed": lambda f: patching_config_from_dict({}),
}

MODEL = ["-m", "builtin:denoise2d"]
WRONG = {
    "command-line: size": ["predict", "IN", "OUT", *MODEL, "--patch-size", "big"],
    "command-line: region": ["predict", "IN", "OUT", *MODEL, "--region", "near the middle"],
    "command-line: device": ["predict", "IN", "OUT", *MODEL, "--device", "toaster"],
    "saving: both options": ["predict", "IN", "OUT", *MODEL, "--resume", "--overwrite"],
    "command-line: no output": ["predict", "IN", *MODEL],
    "command-line: channels": ["predict", "IN", "OUT", *MODEL, "--channels", "red"],
    "command-line: no plan": ["predict", "IN", "OUT", *MODEL, "--plan", "IN"],
    "axes: outside": ["predict", "IN", "OUT", *MODEL, "--region", "Y=0:999"],
    "images: no series": ["info", "IN#x"],
    "stores: scheme": ["info", "nothing://here/a.zarr"],
    "training: no target": ["train", "IN", "m.safetensors", "--method", "supervised"],
}


def _pages_about(text: str, written: list[Any]) -> set[str]:
    """The pages on which people find what they were told."""
    line = Message("", " ".join(text.split()))
    about = (one for one in written if Message("", f"…{one.text}…").is_about(line))
    return {Path(one.place.split(":")[0]).stem for one in about}


class TestWhatPeopleSee:
    @pytest.mark.parametrize("case", BAD)
    def test_python_says_what_is_on_the_page(
        self, case: str, tmp_path: Path, written: list[Any]
    ) -> None:
        try:
            answer = BAD[case](tmp_path)
        except (ValueError, OSError, IndexError, MemoryError, TypeError) as error:
            answer = str(error)
        assert isinstance(answer, str), "nothing was refused"
        assert case.split(":")[0] in _pages_about(answer, written), answer

    @pytest.mark.parametrize("case", WRONG)
    def test_the_command_says_what_is_on_the_page(
        self,
        case: str,
        tmp_path: Path,
        written: list[Any],
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COLUMNS", "1000")
        tifffile.imwrite("IN", np.ones((64, 64), "uint16"))
        words = [word.replace("OUT", "out.ome.zarr") for word in WRONG[case]]
        assert run(words) in (1, 2)
        told = capfd.readouterr().err.replace("│", " ")
        assert case.split(":")[0] in _pages_about(told, written), told
