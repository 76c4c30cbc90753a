"""Conversions from end to end: what the document says is what lies on disk, and nothing is computed twice or left half done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import project as facade
from engine.discover import find_project, job_for
from engine.errors import Cancelled, WorkError
from engine.events import Event, Layers, Progress, SampleMeasured, silent
from engine.export.mgk import load
from engine.export.names import file_names
from engine.numerics import Array
from engine.simulate import run_quantized
from engine.stages import calibration
from engine.store import Store
from tests.engine import tiny
from tests.engine.running import converted, rows

SAMPLE = Path(__file__).resolve().parents[2] / "sample_projects" / "resnet18"
ONE = "DEBUG_PATH=./debug_digits/digit_0_0536.png"
TOP = ["schema", "model", "soc", "nodes", "outputs", "timing", "peak_rss_mb", "artefacts", "warnings"]
NODE = [
    "name",
    "op",
    "quantized",
    "reason",
    "feature_bits",
    "weight_bits",
    "method",
    "min",
    "max",
    "scale",
    "zero_point",
    "cosine_avg",
    "cosine_min",
    "cosine_max",
    "euc_distance",
    "standard_deviation",
    "max_absolute",
    "max_absolute_normalized",
    "sqnr_db",
    "saturation",
    "local_cosine",
    "samples",
]


def settled(document: dict[str, Any]) -> dict[str, Any]:
    """A document without what differs from run to run."""
    return {k: v for k, v in document.items() if k not in ("timing", "peak_rss_mb")}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample project."""
    root = tmp_path_factory.mktemp("sample") / "resnet18"
    shutil.copytree(SAMPLE, root, ignore=shutil.ignore_patterns(".magik", "magik_dump_path", "venus_*", "recipe"))
    return root


@pytest.fixture(scope="module")
def one(sample: Path) -> tuple[dict[str, Any], Path]:
    """The document of a conversion with one debug picture, and its dumps."""
    return converted(sample, ONE), sample / "magik_dump_path"


# the document ---------------------------------------------------------------------------------------------------------------------


def test_the_document_has_every_key_that_was_promised(one: tuple[dict[str, Any], Path]) -> None:
    document, _ = one
    assert [k for k in document if k in TOP] == TOP
    assert set(document) - set(TOP) == {"numerics"}
    for node in document["nodes"]:
        assert [k for k in node if k in NODE] == NODE
        assert [list(cell) for cell in node["samples"]] == [["sample", "cosine"]]
    assert {"name", "cosine_avg", "cosine_min"} <= set(document["outputs"][0])
    assert document["schema"] == 1
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_artefacts_exist_and_are_named(one: tuple[dict[str, Any], Path]) -> None:
    document, dumps = one
    assert [Path(a).name for a in document["artefacts"]] == [
        "resnet18_t40_magik.bin",
        "magik_model_resnet18_t40_magik.mk.h",
        "model_quant.mgk",
        "magik_dump_path",
    ]
    assert all(Path(a).exists() for a in document["artefacts"])
    assert Path(document["artefacts"][-1]) == dumps


def test_the_graph_is_the_guides(one: tuple[dict[str, Any], Path]) -> None:
    nodes = one[0]["nodes"]
    kinds = [n["op"] for n in nodes]
    expected = {"BatchNormScale": 1, "Conv2D": 20, "EltwiseAdd": 8, "MaxPool": 1, "GlobalAvgPool": 1, "Flatten": 1, "MatMul": 1}
    assert {k: kinds.count(k) for k in kinds} == expected
    assert (nodes[0]["name"], nodes[-1]["name"]) == ("data/BatchNormScale", "resnetv15_dense0_fwd")
    assert all(n["quantized"] and n["feature_bits"] == 8 for n in nodes)
    assert {n["method"] for n in nodes} == {"KL", "SHARED"}


def values(dumps: Path, name: str) -> tuple[Array, Array, Array]:
    """What lies on disk for one node: float values, levels, dequantized values."""
    info = json.loads((dumps / "model_node_info.json").read_text("utf-8"))
    names = [n for kind in info["all_type"] for n in info[kind]]
    file = file_names(names)[name] + ".bin"
    folders = (("float_model", "<f4"), ("ptq_model", "u1"), ("ptq_model_dequantize", "<f4"))
    x, q, y = (np.fromfile(dumps / folder / file, dtype) for folder, dtype in folders)
    return x, q, y


def test_every_column_is_what_the_dumps_say(one: tuple[dict[str, Any], Path]) -> None:
    """The guide's seven columns, its formulas written down once more, over the values on disk."""
    document, dumps = one
    for node in document["nodes"]:
        x, q, y = (v.astype(np.float64) for v in values(dumps, node["name"]))
        assert np.allclose(y, (q - node["zero_point"]) * np.float64(node["scale"]), rtol=1e-6)
        d = x - y
        cosine = (x @ y) / np.sqrt((x @ x) * (y @ y))
        z = (x - x.mean()) / x.std() - (y - y.mean()) / y.std()
        expected = {
            "cosine_avg": cosine,
            "cosine_min": cosine,
            "cosine_max": cosine,
            "euc_distance": np.sqrt(0.5 * d.var() / (x.var() + y.var())),
            "standard_deviation": d.std(),
            "max_absolute": np.abs(d).max(),
            "max_absolute_normalized": np.abs(z).max(),
            "sqnr_db": 10 * np.log10((x @ x) / (d @ d)),
            "mean_error": d.mean(),
        }
        for column, value in expected.items():
            assert node[column] == pytest.approx(value, rel=2e-5, abs=2e-6 * np.abs(x).max()), (node["name"], column)
        assert node["samples"] == [{"sample": "digit_0_0536.png", "cosine": node["cosine_avg"]}]


def test_the_model_file_computes_the_levels_of_every_node(one: tuple[dict[str, Any], Path]) -> None:
    document, dumps = one
    graph = load(Path(document["artefacts"][2]).read_bytes())
    pixels = np.fromfile(dumps / "input_uint8.bin", "u1").reshape(1, 64, 64, 3)
    found = run_quantized(graph, {"data": pixels})
    for node in document["nodes"]:
        assert found[node["name"]].tobytes() == values(dumps, node["name"])[1].tobytes(), node["name"]


def test_rows_over_several_pictures_are_means_and_extremes(sample: Path, one: tuple[dict[str, Any], Path]) -> None:
    document = converted(sample)
    assert len(document["nodes"][0]["samples"]) == len(list((SAMPLE / "debug_digits").iterdir()))
    for node, alone in zip(document["nodes"], one[0]["nodes"], strict=True):
        cosines = [cell["cosine"] for cell in node["samples"]]
        assert (node["cosine_min"], node["cosine_max"]) == (min(cosines), max(cosines))
        assert node["cosine_avg"] == pytest.approx(np.mean(cosines))
        cell = next(c for c in node["samples"] if c["sample"] == "digit_0_0536.png")
        assert cell["cosine"] == alone["cosine_avg"]
    last = document["nodes"][-1]
    assert document["outputs"][0]["cosine_avg"] == last["cosine_avg"]
    assert last["cosine_avg"] > 0.99


def test_more_bits_leave_less_noise(sample: Path) -> None:
    documents = [converted(sample, f"QUANT_FEATURE_BIT={bits}") for bits in (8, 10, 12)]
    noise = [[n["sqnr_db"] for n in d["nodes"]] for d in documents]
    assert noise[0][-1] < noise[1][-1] < noise[2][-1]
    assert np.mean(noise[0]) + 5 < np.mean(noise[1]) < np.mean(noise[2])
    assert [d["nodes"][5]["feature_bits"] for d in documents] == [8, 10, 12]


# what is known is not computed again ------------------------------------------------------------------------------------------------


class Reads:
    """Counts the samples that are decoded."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, sample: Any, specs: Any) -> Any:
        self.names.append(f"{sample.paths[0].parent.name}/{sample.name}")
        return self.real(sample, specs)

    real = staticmethod(calibration.read_sample)

    def of(self, folder: str) -> list[str]:
        return [n.split("/")[1] for n in self.names if n.startswith(folder + "/")]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    counter = Reads()
    monkeypatch.setattr(calibration, "read_sample", counter)
    return counter


@pytest.fixture
def many(project: Path) -> Path:
    """The tiny project with 40 calibration pictures."""
    for index in range(3, 40):
        tiny.picture(project / "calibration" / f"{index}.png", seed=index)
    return project


def stamps(root: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(root)): (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*") if p.is_file()}


def test_an_identical_run_comes_from_the_store_and_writes_nothing(project: Path, reads: Reads) -> None:
    first = converted(project)
    before, count = stamps(project), len(reads.names)
    events: list[Event] = []
    second = converted(project, report=events.append)
    assert settled(second) == settled(first)
    assert list(second["timing"]) == ["cached"]
    after = stamps(project)
    assert {k: v for k, v in after.items() if "/store/" not in k} == {k: v for k, v in before.items() if "/store/" not in k}
    assert set(after) == set(before)
    assert len(reads.names) == count
    (layers,) = (e for e in events if isinstance(e, Layers))
    assert [r["name"] for r in layers.rows] == list(rows(first))
    assert [e.sample for e in events if isinstance(e, SampleMeasured)] == ["0.png", "1.png"] == list(layers.samples)


@pytest.mark.parametrize("touched", ["out/net.bin", "out/magik_model_net.mk.h", "out/save-magik/model_quant.mgk"])
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_touched_artefact_is_written_again(touched: str, how: str, project: Path) -> None:
    first = converted(project)
    path = project / touched
    good = path.read_bytes()
    path.unlink() if how == "missing" else path.write_bytes(good[:-1] + b"?")
    second = converted(project)
    assert path.read_bytes() == good
    assert "cached" not in second["timing"]
    assert settled(second) == settled(first)


@pytest.mark.parametrize("how", ["changed", "missing", "renamed"])
def test_a_touched_dump_is_written_again(how: str, project: Path) -> None:
    converted(project)
    path = project / "magik_dump_path" / "ptq_model" / "scores.bin"
    good = path.read_bytes()
    if how == "changed":
        path.write_bytes(b"?" + good[1:])
    else:
        path.unlink() if how == "missing" else path.rename(path.with_name("other.bin"))
    converted(project)
    assert path.read_bytes() == good


def test_a_copied_project_writes_artefacts_of_its_own(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted(project)
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    shutil.rmtree(copy / "out")
    monkeypatch.chdir(copy)
    document = converted(copy)
    assert (copy / "out" / "net.bin").read_bytes() == (project / "out" / "net.bin").read_bytes()
    assert all(Path(a).resolve().is_relative_to(copy.resolve()) for a in document["artefacts"])


def test_other_bits_read_no_calibration_picture_again(many: Path, reads: Reads) -> None:
    converted(many)
    assert len(reads.of("calibration")) == 40
    reads.names.clear()
    twelve = converted(many, "QUANT_FEATURE_BIT=12", "QUANT_FEATURE_METHOD=MSE")
    assert reads.of("calibration") == []
    assert twelve["nodes"][0]["feature_bits"] == 12
    reads.names.clear()
    converted(many)
    assert reads.of("calibration") == reads.of("debug")[1:] == []  # at most the one for the dumps


@pytest.mark.parametrize("name", ["00.png", "25b.png", "zz.png"])
def test_a_picture_added_costs_its_chunk(name: str, many: Path, reads: Reads) -> None:
    converted(many)
    reads.names.clear()
    tiny.picture(many / "calibration" / name, seed=99)
    grown = converted(many)
    assert name in reads.of("calibration")
    assert len(reads.of("calibration")) <= 2 * calibration.CHUNK
    assert len(reads.of("debug")) <= 2
    shutil.rmtree(many / ".magik")
    assert settled(converted(many)) == settled(grown)


def test_a_picture_added_to_the_debug_set_costs_itself(project: Path, reads: Reads) -> None:
    converted(project)
    reads.names.clear()
    tiny.picture(project / "debug" / "9.png", seed=9)
    document = converted(project)
    assert "9.png" in reads.of("debug")
    assert set(reads.of("debug")) <= {"0.png", "9.png"}  # the first one for the dumps
    assert reads.of("calibration") == []
    assert len(document["nodes"][0]["samples"]) == 3


def test_renamed_pictures_are_the_same_pictures(project: Path, reads: Reads) -> None:
    first = converted(project)
    reads.names.clear()
    for folder in ("calibration", "debug"):
        for path in list((project / folder).iterdir()):
            path.rename(path.with_name(f"renamed_{path.name}"))
    second = converted(project)
    assert reads.of("calibration") == []
    assert rows(second)["scores"]["cosine_avg"] == rows(first)["scores"]["cosine_avg"]
    assert [c["sample"] for c in second["nodes"][0]["samples"]] == ["renamed_0.png", "renamed_1.png"]


def test_threads_do_not_change_the_result(many: Path) -> None:
    job = job_for(find_project(many))
    found = [facade.run(job, report=silent, store=Store(None), jobs=jobs) for jobs in (1, 3)]
    assert settled(found[0]) == settled(found[1])


def test_other_mean_is_another_run_and_going_back_is_free(many: Path, reads: Reads) -> None:
    """What a configuration computed stays, whatever was tried meanwhile."""
    first = converted(many)
    other = converted(many, "MEAN=[100]")
    assert len(reads.of("calibration")) == 80
    assert rows(other)["scores"]["max"] != rows(first)["scores"]["max"]
    reads.names.clear()
    again = converted(many, "QUANT_DATASET_SIZE=40")
    assert reads.of("calibration") == []
    assert rows(again) == rows(first)


def test_a_picture_that_changes_under_the_work_stops_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it gives now would be remembered for what it was."""
    real = facade.gather

    def gather(*args: Any) -> Any:
        sources = real(*args)
        tiny.picture(project / "calibration" / "1.png", seed=77)
        return sources

    with monkeypatch.context() as patch:
        patch.setattr(facade, "gather", gather)
        with pytest.raises(WorkError, match=r"1\.png: the sample was changed while the work went on \(run it again\)"):
            converted(project)
    assert converted(project)["nodes"]


def test_a_store_that_is_off_is_told_and_changes_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, os.strerror(28))

    expected = settled(converted(project))
    shutil.rmtree(project / ".magik")
    events: list[Event] = []
    with monkeypatch.context() as patch:
        patch.setattr("engine.store._write", full)
        document = converted(project, report=events.append)
    assert settled(document) == expected
    assert any("the store is off: " in getattr(e, "text", "") for e in events)


# stopping ---------------------------------------------------------------------------------------------------------------------------


def stop_at(index: int) -> Callable[[Event], None]:
    """A hook that stops the work at its index-th event."""
    count = iter(range(1_000_000))

    def report(event: Event) -> None:
        if next(count) == index:
            raise Cancelled

    return report


def stops(project: Path, *, fresh: bool) -> Iterator[int]:
    """Stop a conversion at each of its events in turn, and yield how far each came."""
    index = 0
    while True:
        job = job_for(find_project(project))
        try:
            facade.run(job, report=stop_at(index), store=Store(None) if fresh else None, jobs=1 + index % 2)
        except Cancelled:
            yield index
            index += 1
        else:
            return


@pytest.mark.parametrize("fresh", [False, True], ids=["resuming", "from the start"])
def test_stopping_anywhere_leaves_nothing_half_done(fresh: bool, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untouched = tmp_path / "untouched"
    shutil.copytree(project, untouched)
    inputs = tiny.files(project)
    seen = 0
    for index in stops(project, fresh=fresh):
        seen = index + 1
        assert tiny.temporary(project) == []
        now = tiny.files(project)
        assert inputs.items() <= now.items()
        if not {name for name in now if name.startswith(("out/", "magik_dump_path/"))}:
            continue
        assert index > 5  # artefacts come last
    assert seen > 15
    found = settled(converted(project))
    monkeypatch.chdir(untouched)
    expected = settled(converted(untouched))
    for document in (found, expected):
        document.pop("model"), document.pop("artefacts")
    assert found == expected
    assert {k: v for k, v in tiny.files(project).items() if ".magik" not in k} == {
        k: v for k, v in tiny.files(untouched).items() if ".magik" not in k
    }


def test_progress_never_goes_back_and_ends_complete(project: Path) -> None:
    events: list[Event] = []
    converted(project, report=events.append)
    last: dict[str, Progress] = {}
    for event in events:
        if isinstance(event, Progress):
            before = last.get(event.stage)
            assert before is None or (before.done <= event.done and before.total == event.total)
            last[event.stage] = event
    assert {"CollectFeatureDistribution", "ComputeScale", "Compute distance"} <= set(last)
    assert all(e.done == e.total for e in last.values())
