"""Bad input through the real commands: a clear line, the exit code, nothing half-written, inputs untouched."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import engine.project
from engine.cli import main as headless
from engine.cli import transform
from engine.errors import Cancelled
from engine.events import Event, Report

ROOT = Path(__file__).resolve().parents[2]
SIZE = 12
LINE = ["-i", "net.onnx", "-o", "out/net.mk.h", "-cfg", "magik.cfg", "--save_quantize_model", "true"]
CONFIG = {
    "SOC": "T40",
    "INPUT_SHAPE": [1, 3, SIZE, SIZE],
    "MEAN": [127.5],
    "NORMAL": [64.0],
    "QUANT_DATASET_PATH": "./calibration",
    "DEBUG_PATH": "./debug",
}


@pytest.fixture(scope="module")
def model() -> bytes:
    """A network of two convolutions and a matrix product, with fixed random weights."""
    random = np.random.default_rng(7)

    def weight(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(random.normal(0, 0.3, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["data", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["c2"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["scores"]),
    ]
    weights = [weight("w1", 4, 3, 3, 3), weight("b1", 4), weight("w2", 6, 4, 3, 3), weight("w3", 6, 5), weight("b3", 5)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 5])],
        weights,
    )
    data: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    return data


@pytest.fixture
def project(tmp_path: Path, model: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound project, in whose folder the test runs; crash logs would go beside it."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "net.onnx").write_bytes(model)
    (root / "run_t40.sh").write_text("magik-transform-tools " + " ".join(LINE) + "\n")
    configure(root)
    for folder, count in (("calibration", 3), ("debug", 2)):
        (root / folder).mkdir()
        for index in range(count):
            picture(root / folder / f"{index}.png", seed=index)
    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return root


def configure(root: Path, **changes: Any) -> None:
    (root / "magik.cfg").write_text(json.dumps({**CONFIG, **changes}, indent=4))


def picture(path: Path, seed: int = 0) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def bomb(path: Path) -> None:
    """Write a PNG of a few bytes that claims 60000 x 60000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


def files(root: Path) -> dict[str, str]:
    """Return the hash of every file below `root`, but for the store, which is a cache."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file() and ".magik/store" not in path.as_posix())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def temporary(root: Path) -> list[str]:
    return [str(path) for path in root.rglob("*") if path.name.startswith((".magik-tmp-", ".new-", "tmp"))]


def convert(capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run the vendor's command line; return exit code, stdout and stderr."""
    code = transform.main(LINE)
    out, errors = capsys.readouterr()
    return code, out, errors


def refused(project: Path, capsys: pytest.CaptureFixture[str], code: int, *said: str) -> None:
    """Both commands end with `code` and one line that says all of `said`, and leave every file as it was, no more, no less."""
    before = files(project)
    for command, line in ((transform.main, LINE), (headless.main, ["run", str(project), "--json"])):
        assert command(line) == code
        out, errors = capsys.readouterr()
        assert "Enjoy" not in out
        assert "Traceback" not in out + errors
        last = errors.splitlines()[-1]
        assert last.startswith(("magik-transform-tools: ", "magik-tui: "))
        for words in said:
            assert words in last
        assert files(project) == before
        assert temporary(project) == []
    assert not (project.parent / "state").exists()


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
        ({"QUANT_OP_SKIP": ["Conv2D"]}, ("QUANT_OP_SKIP",)),
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


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_a_folder_that_may_not_be_read(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Permission is named."""
    (project / "calibration").chmod(0)
    try:
        refused(project, capsys, 2, "calibration")
    finally:
        (project / "calibration").chmod(0o755)


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


@pytest.mark.parametrize("kind", ["a file where the folder should be", "a folder where the file should be", "no such device"])
def test_an_output_that_cannot_be_written(kind: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, the path, and what stood there still stands."""
    out = project / "out"
    if kind == "a file where the folder should be":
        out.write_text("mine")
    elif kind == "a folder where the file should be":
        (out / "net.bin").mkdir(parents=True)
        (out / "net.bin" / "mine").write_text("mine")
    else:
        out.symlink_to("/proc/version/none")
    refused(project, capsys, 1, "out")


class FullDisk:
    """Stands for a disk that is full after `room` bytes: writes beyond fail the way the system fails them."""

    def __init__(self, room: int, monkeypatch: pytest.MonkeyPatch, below: Path) -> None:
        import io

        self.room, self.failed = room, 0
        real = open

        def guarded(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            opened = real(file, mode, *rest, **more)
            inside = isinstance(file, str | os.PathLike) and Path.cwd().joinpath(file).is_relative_to(below)
            if inside and set(mode) & set("wxa+"):
                write = opened.write

                def limited(data: Any) -> int:
                    self.room -= len(data)
                    if self.room < 0:
                        self.failed += 1
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    return int(write(data))

                return _Writer(opened, limited)
            return opened

        monkeypatch.setattr("builtins.open", guarded)
        monkeypatch.setattr(io, "open", guarded)


class _Writer:
    def __init__(self, file: Any, write: Callable[[Any], int]) -> None:
        self._file, self.write = file, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


@pytest.mark.parametrize("room", [0, 100, 2000, 6000])
def test_a_full_disk(room: int, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever file is the one that does not fit: exit code 1, no temporary files, no torn artefact."""
    with monkeypatch.context() as patch:
        disk = FullDisk(room, patch, project)
        code, out, errors = convert(capsys)
    assert disk.failed
    assert code == 1
    assert "no space left on device" in errors.lower()
    assert "Enjoy" not in out
    assert temporary(project) == []
    torn = files(project)
    assert convert(capsys)[0] == 0
    whole = files(project)
    assert {name: digest for name, digest in torn.items() if whole[name] != digest} == {}


def test_a_real_full_disk(project: Path) -> None:
    """On a file system of 64 KiB the conversion stops with exit code 1 and leaves no temporary file."""
    small = project / "out"
    small.mkdir()
    mount = ["unshare", "--mount", "sh", "-c"]
    fill = 'mount -t tmpfs -o size=64k tmpfs out && head -c 62000 /dev/zero > out/filler && "$@"; code=$?; ls -A out >&2; exit $code'
    probe = subprocess.run([*mount, fill, "sh", "true"], cwd=project, capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no file system can be mounted here")
    command = [sys.executable, "-m", "engine.cli.transform", *LINE]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*mount, fill, "sh", *command], cwd=project, env=environment, capture_output=True, text=True, check=False)
    said, *left = done.stderr.splitlines()
    assert done.returncode == 1
    assert "no space left" in said.lower()
    assert left == ["filler"]


def stages_of(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Return every event a conversion reports, in order, and forget what it computed."""
    events: list[Event] = []
    real = engine.project.run

    def run(job: Any, *, report: Report, **rest: Any) -> dict[str, Any]:
        def hook(event: Event) -> None:
            events.append(event)
            report(event)

        return real(job, report=hook, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(engine.project, "run", run)
        assert transform.main(LINE) == 0
    for made in (".magik", "out", "magik_dump_path"):
        shutil.rmtree(project / made, ignore_errors=True)
    return events


@pytest.mark.parametrize("stop", [Cancelled, KeyboardInterrupt])
def test_an_interrupt_at_every_step(
    stop: type[BaseException], project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whenever it comes: exit code 130, inputs untouched, no temporary file, and every artefact that is there is whole."""
    inputs = files(project)
    count = len(stages_of(project, monkeypatch))
    assert transform.main(LINE) == 0
    whole = files(project)
    capsys.readouterr()
    real = engine.project.run
    for step in range(count):
        for made in (".magik", "out", "magik_dump_path"):
            shutil.rmtree(project / made, ignore_errors=True)

        def run(job: Any, *, report: Report, last: int = step, **rest: Any) -> dict[str, Any]:
            seen = iter(range(count))

            def hook(event: Event) -> None:
                if next(seen) == last:
                    raise stop
                report(event)

            return real(job, report=hook, **rest)

        with monkeypatch.context() as patch:
            patch.setattr(engine.project, "run", run)
            assert transform.main(LINE) == 130, step
        out, errors = capsys.readouterr()
        assert (errors, "Enjoy" in out) == ("magik-transform-tools: interrupted\n", False)
        assert temporary(project) == []
        left = files(project)
        assert inputs.items() <= left.items() <= whole.items(), step
    assert transform.main(LINE) == 0
    assert files(project) == whole


def test_a_name_that_terminals_obey(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture whose name holds escape sequences is named without them."""
    (project / "debug" / "\x1b[2J\x1b]0;owned\x07.png").write_bytes(b"no picture")
    (project / "debug" / os.fsdecode(b"\xff\xfe.png")).write_bytes(b"no picture")
    code, out, errors = convert(capsys)
    assert code == 0
    assert "owned" in out
    assert "\x1b" not in out + errors
    assert "\x07" not in out + errors


def test_onnx_is_what_the_fixture_wrote(model: bytes) -> None:
    """The tiny model is valid ONNX, or the tests above would prove nothing."""
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
