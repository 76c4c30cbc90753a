"""The live engine says of every plan what a whole conversion says, and computes what the plan changed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from engine.discover import find_project, job_for
from engine.errors import Cancelled, UsageError
from engine.events import Event, Layers, Progress, SampleMeasured, silent
from engine.lab import Lab, open_lab
from engine.lab.course import Step, steps_of
from engine.lab.kernels import Kernels
from engine.plan import Choice, Plan
from engine.quantize import size_of
from tests.engine import tiny
from tests.engine.frontends import families
from tests.engine.frontends.families import Family
from tests.engine.running import converted, rows


def opened(root: Path, *settings: str) -> Lab:
    return open_lab(job_for(find_project(root), settings), report=silent, jobs=1)


@pytest.fixture
def lab(project: Path) -> Iterator[Lab]:
    with opened(project) as found:
        yield found


def of_family(root: Path, family: Family) -> Path:
    """Write a project for a small model, its samples as .bin files."""
    root.mkdir()
    onnx.save(family.model(), root / "net.onnx")
    rng = np.random.default_rng(3)
    for folder, count in (("calibration", 4), ("debug", 2)):
        for index in range(count):
            place = root / folder / str(index)
            place.mkdir(parents=True)
            for name, shape in family.inputs.items():
                rng.normal(0, 1, shape).astype("<f4").tofile(place / f"{name}.bin")
    config = {"SOC": "T40", "QUANT_DATASET_PATH": "./calibration", "DEBUG_PATH": "./debug"}
    (root / "magik.cfg").write_text(json.dumps(config))
    return root


def alike(a: Any, b: Any) -> bool:
    """Compare two values of a document: float layers may differ in the last digits when they are run one by one."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-3, abs_tol=2e-5)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[k], b[k]) for k in a)
    return bool(a == b)


def same(live: dict[str, Any], whole: dict[str, Any]) -> None:
    for one, other in zip(live["nodes"], whole["nodes"], strict=True):
        different = {k: (one[k], other[k]) for k in other if not alike(one[k], other[k])}
        assert different == {}, one["name"]
    assert alike(live["outputs"], whole["outputs"])


MAKERS = {
    "transformer": lambda: families.transformer(17),
    "gru": lambda: families.recurrent("GRU", 14),
    "states": lambda: families.states(14),
    "gru step": lambda: families.gru_step(13),
    "detector": lambda: families.detector(13),
    "mobile": lambda: families.mobile(11),
    "sound": lambda: families.sound(13),
    "open branch": lambda: families.conditional(13, False),
    "loop": lambda: families.loop(13),
}


@pytest.mark.parametrize("name", MAKERS)
def test_it_says_what_a_conversion_says(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = of_family(tmp_path / "project", MAKERS[name]())
    monkeypatch.chdir(root)
    with opened(root) as lab:
        same(lab.evaluate(lab.base), converted(root))
        same(lab.evaluate(replace(lab.base, default=replace(lab.base.default, feature_bits=12))), converted(root, "QUANT_FEATURE_BIT=12"))
        quantized = [n["name"] for n in lab.evaluate(lab.base)["nodes"] if n["quantized"]]
        for node in quantized[::3]:
            plan = lab.base.with_node(node, Choice(skip="skipped by QUANT_NODE_SKIP"))
            same(lab.evaluate(plan), converted(root, f'QUANT_NODE_SKIP=["{node}"]'))


@pytest.mark.parametrize(
    "settings",
    [
        ["QUANT_WEIGHT_BIT=4", "QUANT_WEIGHT_METHOD=ADMM"],
        ["QUANT_FEATURE_METHOD=MAX_ABS", "QUANT_FEATURE_BIT=4"],
        ["WEIGHT_FAKE_QUANT=true"],
        ["FEATURE_FAKE_QUANT=true"],
        ["QUANT_WEIGHT_BIT=4", "WEIGHT_CORRECT_PATH=./calibration"],
        ["QUANT_OP_SKIP=Conv2D"],
    ],
)
def test_it_obeys_every_option(settings: list[str], project: Path) -> None:
    with opened(project, *settings) as lab:
        same(lab.evaluate(lab.base), converted(project, *settings))


def test_integers_are_the_same_to_the_last_bit(project: Path) -> None:
    with opened(project) as lab:
        live, whole = lab.evaluate(lab.base), converted(project)
    keys = ("cosine_avg", "max_absolute", "standard_deviation", "saturation", "sqnr_db")
    assert [[n[k] for k in keys] for n in live["nodes"]] == [[n[k] for k in keys] for n in whole["nodes"]]


def test_a_changed_layer_and_what_depends_on_it_are_computed(lab: Lab) -> None:
    first = lab.evaluate(lab.base)
    names = [n["name"] for n in first["nodes"]]
    assert names == ["data/BatchNormScale", "r1", "c2", "g", "f", "scores"]
    assert first["recomputed"] == names
    raised = lab.base.with_node("c2", Choice(feature_bits=12))
    assert lab.evaluate(raised)["recomputed"] == ["c2", "g", "f", "scores"]
    assert rows(lab.evaluate(raised))["c2"]["feature_bits"] == 12
    assert lab.evaluate(raised)["recomputed"] == []
    assert lab.evaluate(lab.base)["recomputed"] == []
    given = lab.base.with_node("g", Choice(low=0.0, high=3.0))
    assert lab.evaluate(given)["recomputed"] == ["g", "f", "scores"]
    other = lab.base.with_node("scores", Choice(weight_method="ADMM", weight_bits=4))
    assert lab.evaluate(other)["recomputed"] == ["scores"]


def test_what_was_measured_is_known_in_the_next_process(project: Path) -> None:
    with opened(project) as lab:
        first = lab.evaluate(lab.base)
    with opened(project) as again:
        document = again.evaluate(again.base)
    assert document["recomputed"] == []
    same(document, first)


def test_a_score_is_that_of_the_outputs(lab: Lab) -> None:
    raised = lab.base.with_node("c2", Choice(feature_bits=10))
    score, row = lab.score(raised), lab.evaluate(raised)["outputs"][0]
    assert (score.cosine_avg, score.cosine_min, score.sqnr_db) == (row["cosine_avg"], row["cosine_min"], row["sqnr_db"])
    at = lab.score(raised, at="r1")
    assert at.cosine_min == rows(lab.evaluate(raised))["r1"]["cosine_min"]
    assert list(lab.scores([lab.base, raised])) == [lab.score(lab.base), score]


def test_a_score_is_known_in_the_next_process(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing runs to know it again, and other plans are not taken for it."""
    with opened(project) as lab:
        plans = [lab.base.with_node(name, Choice(feature_bits=bits)) for name in ("r1", "c2") for bits in (4, 10)]
        first = [lab.score(plan) for plan in plans] + [lab.score(plans[0], at="r1")]
    assert len(set(first)) == 5

    def refuse(*whatever: Any, **more: Any) -> None:
        raise AssertionError("a layer was run")

    monkeypatch.setattr(Kernels, "run", refuse)
    with opened(project) as again:
        assert [again.score(plan) for plan in plans] + [again.score(plans[0], at="r1")] == first


def test_what_scored_plans_share_is_computed_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    run = Kernels.run

    def counted(self: Kernels, step: Step, *rest: Any) -> Any:
        ran.extend(n.name for n in step.nodes)
        return run(self, step, *rest)

    monkeypatch.setattr(Kernels, "run", counted)
    everything = {"data/BatchNormScale", "r1", "c2", "g", "f", "scores"}
    for bits, expected in ((12, everything), (10, {"c2", "g", "f", "scores"})):
        lab.score(lab.base.with_node("c2", Choice(feature_bits=bits)))
        assert set(ran) == expected
        ran.clear()


def test_everything_in_float_loses_nothing(lab: Lab) -> None:
    plan = replace(lab.base, default=replace(lab.base.default, skip="float"))
    assert lab.score(plan).cosine_min == 1.0


def test_a_layer_that_does_not_exist_is_told_with_the_nearest(lab: Lab) -> None:
    with pytest.raises(UsageError, match=r"'scoers' is no layer of this network \(did you mean 'scores'\?\)"):
        lab.score(lab.base, at="scoers")
    with pytest.raises(UsageError, match=r"'c1' is no layer of this network \(did you mean 'r1'\?\)"):  # r1 absorbs it
        lab.score(lab.base, "c1")


def test_layers_that_keep_levels_move_with_the_one_that_made_them(lab: Lab) -> None:
    assert [(u.name, u.op, u.nodes) for u in lab.units] == [
        ("data/BatchNormScale", "BatchNormScale", ("data/BatchNormScale",)),
        ("r1", "Conv2D", ("r1",)),
        ("c2", "Conv2D", ("c2",)),
        ("g", "GlobalAvgPool", ("g", "f")),
        ("scores", "MatMul", ("scores",)),
    ]
    assert lab.units[1].macs == 12 * 12 * 4 * 27
    assert [u.values for u in lab.units[:2]] == [12 * 12 * 3, 12 * 12 * 4]


def test_units_do_not_depend_on_what_is_skipped(project: Path) -> None:
    with opened(project) as plain, opened(project, "QUANT_OP_SKIP=Conv2D", 'QUANT_NODE_SKIP=["g"]') as skipped:
        assert plain.units == skipped.units


def test_local_errors_name_the_layers_that_are_integer(project: Path) -> None:
    with opened(project, "QUANT_OP_SKIP=MatMul") as lab:
        errors = lab.local_errors()
        local = {n["name"]: n["local_sqnr_db"] for n in lab.evaluate(lab.base)["nodes"]}
    assert "scores" not in errors
    assert errors["c2"] == pytest.approx(10 ** (-local["c2"] / 10))


def test_what_does_not_fit_is_computed_again(project: Path) -> None:
    with opened(project) as lab:
        expected = lab.evaluate(lab.base)
    with open_lab(job_for(find_project(project)), report=silent, jobs=1, room=0) as small:
        raised = small.base.with_node("c2", Choice(feature_bits=12))
        small.evaluate(raised)
        small.core.measures.store.folder = None
        document = small.evaluate(small.base)
        assert document["nodes"] == expected["nodes"]


def test_a_hook_stops_it_and_nothing_is_lost(lab: Lab) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "Simulate":
            raise Cancelled

    with pytest.raises(Cancelled):
        lab.telling(stop).evaluate(lab.base)
    assert lab.evaluate(lab.base)["outputs"][0]["cosine_avg"] > 0.9


def test_it_tells_rows_first_and_then_each_sample(lab: Lab) -> None:
    told: list[Event] = []
    document = lab.telling(told.append).evaluate(lab.base)
    shown = [e for e in told if isinstance(e, Layers | SampleMeasured)]
    assert isinstance(shown[0], Layers)
    assert shown[0].samples == ("0.png", "1.png")
    cosines = [e.metrics["scores"]["cosine"] for e in shown[1:] if isinstance(e, SampleMeasured)]
    assert cosines == [s["cosine"] for s in rows(document)["scores"]["samples"]]


def test_an_unreadable_sample_is_left_out(project: Path) -> None:
    (project / "debug" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    told: list[Event] = []
    with opened(project) as lab:
        document = lab.telling(told.append).evaluate(lab.base)
        assert [s["sample"] for s in rows(document)["scores"]["samples"]] == ["1.png"]
        assert lab.score(lab.base).cosine_avg == document["outputs"][0]["cosine_avg"]
    assert any("0.png" in getattr(e, "text", "") for e in told)


def test_a_changed_configuration_keeps_the_project_open(project: Path) -> None:
    with opened(project) as lab:
        lab.evaluate(lab.base)
        tiny.configure(project, QUANT_FEATURE_BIT=10, QUANT_NODE_SKIP=["c2"])
        after = lab.reopened(job_for(find_project(project)), silent)
        assert after.core is lab.core
        same(after.evaluate(after.base), converted(project))
        tiny.configure(project, MEAN=[100])
        assert after.reopened(job_for(find_project(project)), silent).core is not lab.core


def test_layers_between_which_unknown_things_pass_are_one_step(tmp_path: Path) -> None:
    family = Family(13, inputs={"x": [1, 4]})
    positions = family.op("NonZero", family.op("Relu", "x", makes="r"))
    family.outputs = [family.op("Cast", positions, makes="y", to=1), family.op("Sigmoid", "r", makes="s")]
    root = of_family(tmp_path / "project", family)
    with opened(root) as lab:
        names = [[n.name for n in step.nodes] for step in steps_of(lab.quantized(Plan()).graph)]
        assert any(len(step) > 1 for step in names)
        assert [n for step in names for n in step] == [n.name for n in lab.quantized(Plan()).graph.nodes]
        same(lab.evaluate(lab.base), converted(root))


def test_without_the_layers_alone_the_rest_is_the_same(project: Path) -> None:
    with opened(project) as lab:
        plan = lab.base.with_node("c2", Choice(feature_bits=10))
        light, whole = lab.evaluate(plan, local=False), lab.evaluate(plan)
    assert [n["local_cosine"] for n in light["nodes"]] == [None] * len(light["nodes"])
    assert all(n["local_cosine"] is not None for n in whole["nodes"])
    local = ("local_cosine", "local_sqnr_db")
    for n in light["nodes"]:
        assert {value for metric in local for value in n["by_sample"].pop(metric)} == {None}
    for n in whole["nodes"]:
        assert n["by_sample"].pop("local_cosine")[0] is not None
        n["by_sample"].pop("local_sqnr_db")
    bare = [[{k: v for k, v in n.items() if k not in local} for n in d["nodes"]] for d in (light, whole)]
    assert bare[0] == bare[1]


def test_other_samples_than_the_files_say(project: Path) -> None:
    with opened(project) as lab:
        few = lab.reading(replace(lab.sources, calibration=lab.sources.calibration[:3]), lab.job, silent)
        assert few.core is not lab.core
        same(few.evaluate(few.base), converted(project, "QUANT_DATASET_SIZE=3"))
        assert lab.reading(lab.sources, lab.job, silent).core is lab.core


def test_a_network_calibrated_anew_is_the_same_float_network(project: Path) -> None:
    """What is known of it is shared, and neither of the two is told the figures of the other."""
    with opened(project) as lab:
        before = lab.evaluate(lab.base)
        few = lab.reading(replace(lab.sources, calibration=lab.sources.calibration[:3]), lab.job, silent).beside(lab)
        corrected = lab.reading(replace(lab.sources, correction=lab.sources.calibration[:3]), lab.job, silent)
        assert few.core.values is corrected.core.values is lab.core.values
        assert few.graph is lab.graph
        same(few.evaluate(few.base, local=False), without_local(converted(project, "QUANT_DATASET_SIZE=3")))
        assert corrected.evaluate(corrected.base)["nodes"] != before["nodes"]
        assert lab.evaluate(lab.base)["nodes"] == before["nodes"]
        tiny.configure(project, DEBUG_PATH="./calibration")
        other = lab.reopened(job_for(find_project(project)), silent)
        assert other.core.values is not lab.core.values
        same(other.evaluate(other.base), converted(project))


def without_local(document: dict[str, Any]) -> dict[str, Any]:
    """A document whose layers were not run alone."""
    for row in document["nodes"]:
        for metric in ("local_cosine", "local_sqnr_db"):
            row |= {metric: None, "by_sample": {**row["by_sample"], metric: [None] * len(row["by_sample"][metric])}}
    return document


def test_layers_and_programs_that_are_remembered_have_bounds(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.lab.kernels.ROOM", 0)
    with opened(project) as lab:
        lab.core.made._room = 0
        first = lab.evaluate(lab.base)
        for bits in (4, 10, 12):
            lab.evaluate(lab.base.with_node("c2", Choice(feature_bits=bits)))
        assert sum(size > 0 for _, size in lab.core.values.kernels._programs.values()) <= 1
        assert sum(size_of(made) > 0 for _, made, _ in lab.core.made._layers.values()) <= 1
        assert lab.evaluate(lab.base)["nodes"] == first["nodes"]
