"""Bad input through the real commands: a clear line, the exit code, nothing half-written, inputs untouched."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.cli import main as headless
from engine.cli import transform

from .tiny import SIZE, bomb, configure, convert, files, picture, refused, temporary

KEYS = {"calibration": "QUANT_DATASET_PATH", "debug": "DEBUG_PATH"}


def test_the_project_itself_is_sound(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the other tests break works: all artefacts of the guide, a table, JSON, and untouched inputs."""
    before = files(project)
    code, out, errors = convert(capsys)
    assert (code, errors) == (0, "")
    assert "* ^_^ Convert successfully, Enjoy it ^_^ *" in out
    after = files(project)
    assert before.items() <= after.items()
    new = {"out/net.bin", "out/magik_model_net.mk.h", "out/save-magik/model_quant.mgk"}
    dumps = {name for name in after if name.startswith("magik_dump_path/")}
    assert set(after) - set(before) == new | dumps
    assert "magik_dump_path/model_node_info.json" in dumps
    assert temporary(project) == []
    assert headless.main(["run", str(project), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["nodes"][0]["name"] == "data/BatchNormScale"
    assert document["outputs"][0]["cosine_avg"] > 0.98


MODELS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing": (Path.unlink, ("net.onnx",)),
    "empty": (lambda path: path.write_bytes(b""), ("net.onnx",)),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-200]), ("net.onnx",)),
    "text": (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), ("net.onnx",)),
    "picture": (lambda path: picture(path.with_suffix(".png")) or path.with_suffix(".png").replace(path), ("net.onnx",)),
    "noise": (lambda path: path.write_bytes(np.random.default_rng(1).bytes(4096)), ("net.onnx",)),
    "folder": (lambda path: (path.unlink(), path.mkdir()), ("net.onnx",)),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_that_is_none(kind: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing, empty, cut off or something else entirely: the message names the file."""
    spoil, said = MODELS[kind]
    spoil(project / "net.onnx")
    refused(project, capsys, 2, *said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"INPUT": ["dat"]}, ("dat", "data")),
        ({"OUTPUT": ["score"]}, ("score", "scores")),
        ({"INPUT_SHAPE": [1, 4, SIZE, SIZE]}, ("data",)),
        ({"INPUT_SHAPE": [1, 3, SIZE, SIZE + 4]}, ("data",)),
        ({"INPUT_SHAPE": [3, SIZE, SIZE]}, ("data",)),
        ({"INPUT_SHAPE": [[1, 3, SIZE, SIZE], [1, 3]]}, ("INPUT_SHAPE",)),
        ({"MEAN": [1.0, 2.0]}, ("MEAN",)),
        ({"COLOR": ["GRAY"]}, ("GRAY",)),
        ({"QUANT_FEATURE_BIT": 40}, ("QUANT_FEATURE_BIT", "magik.cfg:")),
        ({"QUANT_FEATURE_BIT": 9}, ("QUANT_FEATURE_BIT", "4, 8, 10 or 12")),
    ],
)
def test_a_configuration_that_does_not_fit_the_model(
    changes: dict[str, Any], said: tuple[str, ...], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the key, or the tensor, that does not fit."""
    configure(project, **changes)
    refused(project, capsys, 2, *said)


def test_a_set_that_cannot_feed_the_network_is_refused_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with every picture is no warning per picture."""
    configure(project, COLOR=["GRAY"])
    assert convert(capsys)[1].count("GRAY") == 0


def test_a_configuration_that_is_no_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Line and column are named, where the vendor says "Invalid json"."""
    (project / "magik.cfg").write_text('{\n    "SOC": "T40",\n    "INPUT": [],\n}\n')
    refused(project, capsys, 2, "magik.cfg:3:16: trailing comma")


@pytest.mark.parametrize("key", ["QUANT_DATASET_PATH", "DEBUG_PATH"])
@pytest.mark.parametrize("kind", ["missing", "empty", "strangers", "all corrupt", "bomb only"])
def test_a_data_set_without_a_sample(key: str, kind: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No picture, or none that can be read: an error that names the folder or the first picture."""
    folder = project / "pictures"
    configure(project, **{key: "./pictures"})
    if kind != "missing":
        folder.mkdir()
    if kind == "strangers":
        (folder / "notes.txt").write_text("none of these is a picture")
    elif kind == "all corrupt":
        for name in ("a.png", "b.jpg"):
            (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    elif kind == "bomb only":
        bomb(folder / "bomb.png")
    refused(project, capsys, 2, {"all corrupt": "a.png", "bomb only": "bomb.png"}.get(kind, "pictures"))


@pytest.mark.parametrize("folder", ["calibration", "debug"])
def test_a_folder_that_may_not_be_read(
    folder: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusal of the system (which root would never see) is passed on with the folder's name."""
    real = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", iterdir)
        assert convert(capsys)[::2] == (2, f"magik-transform-tools: {KEYS[folder]} {folder}: cannot be read: Permission denied\n")
    assert not (project / "out").exists()


@pytest.mark.parametrize("folder", ["calibration", "debug"])
@pytest.mark.parametrize("kind", ["corrupt", "cut", "bomb", "pipe", "dangling", "folder"])
def test_one_bad_picture_among_good_ones(folder: str, kind: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is skipped with a warning that names it, in the narration and in the document; the others are used."""
    bad = project / folder / "00bad.png"
    if kind == "corrupt":
        bad.write_bytes(b"not a picture")
    elif kind == "cut":
        picture(bad, seed=9)
        bad.write_bytes(bad.read_bytes()[:400])
    elif kind == "bomb":
        bomb(bad)
    elif kind == "pipe":
        os.mkfifo(bad)
    elif kind == "dangling":
        bad.symlink_to("nowhere.png")
    else:
        bad.mkdir()
    code, out, errors = convert(capsys)
    assert (code, errors) == (0, "")
    assert "00bad.png" in out
    assert headless.main(["run", str(project), "--json"]) == 0
    out, errors = capsys.readouterr()
    document = json.loads(out)
    assert any("00bad.png" in warning for warning in document["warnings"])
    assert "00bad.png" in errors
    assert [s["sample"] for s in document["nodes"][0]["samples"]] == ["0.png", "1.png"]


@pytest.mark.parametrize("output", ["out/net.bin", "out/", "out/.mk.h", "net"])
def test_an_output_of_the_wrong_name(output: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """-o has to end in NAME.mk.h; nothing is read or written before that is known."""
    before = files(project)
    assert transform.main(["-i", "net.onnx", "-o", output, "-cfg", "magik.cfg"]) == 2
    assert ".mk.h" in capsys.readouterr().err
    assert files(project) == before


def test_a_name_that_terminals_obey(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture whose name holds escape sequences is named without them."""
    (project / "debug" / "\x1b[2J\x1b]0;owned\x07.png").write_bytes(b"no picture")
    (project / "debug" / os.fsdecode(b"\xff\xfe.png")).write_bytes(b"no picture")
    code, out, errors = convert(capsys)
    assert code == 0
    assert "owned" in out
    assert "\x1b" not in out + errors
    assert "\x07" not in out + errors
