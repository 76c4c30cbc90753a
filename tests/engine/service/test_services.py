"""What the worker answers besides runs, asked the way the worker asks."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.bitfile import NAME
from engine.errors import Cancelled, ConfigError, UsageError
from engine.events import Log, silent
from engine.service.context import Context
from engine.service.lanes import names, service
from engine.userfiles import Conflict
from tests.engine import tiny
from tests.engine.running import converted, rows


class Asked:
    """A client without a wire."""

    def __init__(self, root: Path) -> None:
        self.context = Context(root, None)

    def __call__(self, do: str, /, **fields: Any) -> Any:
        found = service(do)
        return found.answer(self.context, found.read({"id": 1, "do": do, **fields}), silent)


@pytest.fixture
def ask(project: Path) -> Asked:
    return Asked(project)


def test_every_file_is_a_service_with_a_lane() -> None:
    assert {"live", "layer", "units", "data", "thumbnail", "read", "write", "runs", "watch"} <= set(names())
    assert {service(name).lane for name in names()} <= {"heavy", "light", "own"}


def test_a_request_nobody_knows(ask: Asked) -> None:
    with pytest.raises(UsageError, match=r"there is no request 'liev' \(did you mean live\?\)"):
        service("liev")
    with pytest.raises(UsageError, match="bins"):
        ask("layer", name="c2", bins="many")


def test_live_obeys_a_plan(ask: Asked, project: Path) -> None:
    ask("live")
    document = ask("live", plan={"nodes": {"c2": {"feature_bits": 10}}, "types": {"MatMul": {"skip": True}}})
    assert document["recomputed"] == ["c2", "g", "f", "scores"]
    found = rows(document)
    assert (found["c2"]["feature_bits"], found["scores"]["reason"]) == (10, "skipped by hand")
    assert rows(ask("live", set=["QUANT_FEATURE_BIT=12"]))["r1"]["feature_bits"] == 12
    assert rows(ask("live", set=["QUANT_OP_SKIP=MatMul"], plan={"nodes": {"scores": {"skip": False}}}))["scores"]["quantized"]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"nodes": {"c2": {"feature_bits": 9}}}, "T40 has no 9-bit features, expected 4, 8, 10 or 12"),
        ({"nodes": {"c2": {"weight_method": "KL"}}}, "weight_method is 'KL', expected MAX_ABS, ADMM"),
        ({"nodes": {"c2": {"min": 2, "max": 1}}}, "min 2 is above max 1"),
        ({"nodes": {"c2": {"bits": 8}}}, "unknown field `bits`"),
        ({"nodes": {"c2": {"min": "low"}}}, "Expected `float | null`"),
    ],
)
def test_a_plan_that_makes_no_sense(ask: Asked, plan: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ask("live", plan=plan)


def test_units_have_costs(ask: Asked) -> None:
    found = ask("units", plan={"nodes": {"g": {"feature_bits": 12}}})
    assert [(u["name"], u["nodes"], u["feature_bits"]) for u in found["units"]][-2:] == [("g", ["g", "f"], 12), ("scores", ["scores"], 8)]
    assert found["widths"] == {"4": 0.5, "8": 1.0, "10": 2.0, "12": 2.0}


def test_a_layer_looked_at_closely(ask: Asked) -> None:
    found = ask("layer", name="c2", bins=16)
    histogram = found["histogram"]
    assert len(histogram["float"]) == len(histogram["quantized"]) == 16
    assert sum(histogram["float"]) == sum(histogram["quantized"]) == 2 * 6 * 5 * 5
    assert (found["inputs"], found["readers"]) == (["r1"], ["g"])
    assert found["weights"]["channels"] == 6
    assert all(low <= 0 <= high for low, high in zip(found["weights"]["min"], found["weights"]["max"], strict=True))
    low, high = found["clip"]
    assert low <= 0 <= high
    assert high - low == pytest.approx(found["scale"] * 255)
    cosines = [s["cosine"] for s in found["samples"]]
    assert cosines == sorted(cosines)
    assert len(cosines) == 2
    whole = rows(ask("live"))["c2"]
    assert min(cosines) == whole["cosine_min"]


def test_a_float_layer_looked_at_closely(ask: Asked) -> None:
    found = ask("layer", name="c2", plan={"nodes": {"c2": {"skip": True}}})
    assert (found["bits"], found["clip"], found["reason"]) == (None, None, "skipped by hand")
    assert found["histogram"]["quantized"] != []


def test_a_layer_that_is_not_there(ask: Asked) -> None:
    with pytest.raises(UsageError, match=r"there is no layer 'scoer' \(did you mean 'scores'\?\)"):
        ask("layer", name="scoer")


def test_samples_and_what_is_odd_about_them(ask: Asked, project: Path) -> None:
    from PIL import Image

    Image.new("RGB", (30, 30)).save(project / "calibration" / "black.png")
    sets = ask("data")["sets"]
    assert [s["name"] for s in sets["DEBUG_PATH"]["samples"]] == ["0.png", "1.png"]
    assert {s["name"]: s["fault"] for s in sets["QUANT_DATASET_PATH"]["samples"] if s["fault"]} == {"black.png": "mostly black"}
    assert sets["WEIGHT_CORRECT_PATH"]["samples"] == []


def test_a_thumbnail_is_of_a_sample_and_of_nothing_else(ask: Asked, project: Path) -> None:
    file = ask("data")["sets"]["DEBUG_PATH"]["samples"][0]["files"][0]
    found = ask("thumbnail", file=file, side=12)
    pixels = np.frombuffer(base64.b64decode(found["rgb"]), np.uint8)
    assert (found["width"], found["height"], pixels.size) == (12, 10, 360)
    assert pixels.std() > 10
    with pytest.raises(UsageError, match="is no sample of this project"):
        ask("thumbnail", file=str(project / "net.onnx"))


def test_a_file_is_written_on_top_of_what_was_read(ask: Asked, project: Path) -> None:
    found = ask("read", file="config")
    assert json.loads(found["text"])["SOC"] == "T40"
    written = ask("write", file="config", text=found["text"] + "\n", version=found["version"])
    assert (project / "magik.cfg").read_text() == found["text"] + "\n"
    with pytest.raises(Conflict, match="changed by somebody else"):
        ask("write", file="config", text="{}", version=found["version"])
    assert ask("read", file="config")["version"] == written["version"]


def test_a_link_and_its_permissions_outlive_a_save(ask: Asked, project: Path) -> None:
    real = project / "kept.cfg"
    (project / "magik.cfg").rename(real)
    real.chmod(0o640)
    (project / "magik.cfg").symlink_to(real)
    ask("write", file="config", text="{}", version=ask("read", file="config")["version"])
    assert (project / "magik.cfg").is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("{}", 0o640)


def test_a_file_that_is_not_there_is_empty(ask: Asked, project: Path) -> None:
    assert ask("read", file="bits")["version"] == ""
    ask("write", file="bits", text="{}", version="")
    assert (project / NAME).read_text() == "{}"


def test_units_say_what_is_asked_and_what_is_legal(ask: Asked) -> None:
    found = ask("units", set=["QUANT_NODE_SKIP=c2", "QUANT_WEIGHT_BIT=6"])
    units = {u["name"]: u for u in found["units"]}
    assert (units["c2"]["skipped"], units["c2"]["feature_bits"], units["c2"]["weight_bits"]) == ("skipped by QUANT_NODE_SKIP", 8, 6)
    assert {u["weight_bits"] for u in units.values()} == {6, None}
    assert found["weights"] == [2, 3, 4, 5, 6, 7, 8]


def test_sensitivity_says_what_each_unit_does(ask: Asked) -> None:
    found = ask("sensitivity")
    assert found["widths"] == [8, 10, 12]
    assert {u["name"] for u in found["units"]} == {u["name"] for u in ask("units")["units"]}
    assert {a["bits"] for u in found["units"] for a in u["alone"]} == {8, 10, 12}


def test_another_variant_is_served_from_now_on(ask: Asked, project: Path) -> None:
    (project / "run_t41.sh").write_text((project / "run_t40.sh").read_text().replace("-cfg magik.cfg", "-cfg t41.cfg"))
    (project / "t41.cfg").write_text((project / "magik.cfg").read_text().replace("T40", "T41"))
    assert ask("variant", name="t41") == {"variant": "t41", "variants": ["t40", "t41"], "model": str(project / "net.onnx"), "soc": "T41"}
    assert "T41" in ask("read", file="config")["text"]
    with pytest.raises(UsageError):
        ask("variant", name="t42")


def test_a_plan_becomes_what_the_files_say(ask: Asked, project: Path) -> None:
    plan = {"nodes": {"c2": {"feature_bits": 12}, "r1": {"max": 2.5}, "scores": {"skip": True}}}
    live = ask("live", plan=plan)
    written = ask("apply", plan=plan)["written"]
    assert [Path(p).name for p in written] == [NAME, "magik.cfg"]
    config = json.loads((project / "magik.cfg").read_text())
    assert (config["QUANT_NODE_SKIP"], config["LOAD_OP_QUANT_BIT"], config["LOAD_OP_QUANT_MIN_MAX"]) == (["scores"], True, True)
    entries = json.loads((project / NAME).read_text())
    assert (entries["c2"]["QUANT_FEATURE_BIT"], entries["r1"]["MAX"]) == (12, 2.5)
    whole = rows(converted(project))
    for name, row in rows(live).items():
        assert (whole[name]["feature_bits"], whole[name]["cosine_min"], whole[name]["max"]) == (
            row["feature_bits"],
            row["cosine_min"],
            row["max"],
        )


def test_what_no_file_can_say_is_refused(ask: Asked, project: Path) -> None:
    before = (project / "magik.cfg").read_text()
    with pytest.raises(UsageError, match="weight_bits of 'c2' cannot be written"):
        ask("apply", plan={"nodes": {"c2": {"weight_bits": 4}}})
    with pytest.raises(UsageError, match="by operator type"):
        ask("apply", plan={"types": {"Conv2D": {"skip": True}}})
    assert (project / "magik.cfg").read_text() == before
    assert not (project / NAME).exists()


def test_keys_of_the_configuration_are_applied_and_taken_back(ask: Asked, project: Path) -> None:
    config = project / "magik.cfg"
    real = config.rename(project / "real.cfg")
    config.symlink_to(real.name)
    real.chmod(0o640)
    before = config.read_text()
    (project / NAME).write_text('{"c2": {"QUANT_FEATURE_BIT": 4}}')  # lies there, and is not in use
    plan = {"nodes": {"r1": {"feature_bits": 12}}}
    done = ask("apply", plan=plan, config={"LOAD_OP_QUANT_BIT": True})
    assert [Path(p).name for p in done["written"]] == [NAME, "magik.cfg"]
    found = rows(ask("live"))
    assert (found["r1"]["feature_bits"], found["c2"]["feature_bits"]) == (12, 8)
    assert len(ask("undo", before=done["before"])["written"]) == 2
    assert config.read_text() == before
    assert (project / NAME).read_text() == '{"c2": {"QUANT_FEATURE_BIT": 4}}'
    assert config.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert ask("apply", config={"SOC": "T40"}) == {"written": [], "before": []}


def test_an_undo_takes_back_all_or_nothing(ask: Asked, project: Path) -> None:
    done = ask("apply", plan={"nodes": {"c2": {"feature_bits": 12}}})
    applied, bits = (project / "magik.cfg").read_text(), (project / NAME).read_text()
    (project / NAME).write_text("{}")
    with pytest.raises(Conflict, match="changed by somebody else"):
        ask("undo", before=done["before"])
    assert (project / "magik.cfg").read_text() == applied
    (project / NAME).write_text(bits)
    ask("undo", before=done["before"])
    assert not (project / NAME).exists()
    assert "LOAD_OP_QUANT_BIT" not in (project / "magik.cfg").read_text()


@pytest.mark.parametrize(
    ("config", "plan", "said"),
    [
        ({"QUANT_FEATURE": 12}, {}, "there is no key"),
        ({"QUANT_FEATURE_BIT": "many"}, {}, "QUANT_FEATURE_BIT"),
        ({"QUANT_FEATURE_BIT": 12}, {"nodes": {"c2": {"feature_bits": 10}}}, "cannot be written at once"),
    ],
)
def test_keys_that_cannot_be_applied_leave_the_files_alone(
    ask: Asked, project: Path, config: dict[str, Any], plan: dict[str, Any], said: str
) -> None:
    before = tiny.files(project)
    with pytest.raises((ConfigError, UsageError), match=said):
        ask("apply", config=config, plan=plan)
    assert tiny.files(project) == before


def test_a_diagnosis_is_the_command_s_with_lines_to_write(project: Path) -> None:
    tiny.configure(project, QUANT_WEIGHT_BIT=2)
    told: list[Any] = []
    found, context = service("diagnose"), Context(project, None)
    before = tiny.files(project)
    document = found.answer(context, found.read({}), told.append)
    assert tiny.files(project) == before
    assert (document["schema"], document["cause"]) == (1, "width")
    assert len(document["recipes"]) == len(document["fixes"]) > 0
    assert document["recipes"][0][:2] == ["in magik.cfg:", f"    {document['fixes'][0]['lines'][0]}"]
    assert document["markdown"].startswith("# Diagnosis of ")
    assert any(isinstance(e, Log) and e.source == "Diagnose" and e.text.startswith("trying: features of") for e in told)
    done = service("apply").answer(context, service("apply").read({"config": document["fixes"][0]["config"]}), silent)
    assert len(done["before"]) == 1
    measured = service("live").answer(context, service("live").read({}), silent)["outputs"][0]
    assert measured["cosine_avg"] == document["fixes"][0]["after"]["cosine_avg"]


def test_a_diagnosis_stops_when_it_is_told_to(project: Path) -> None:
    def stop(event: Any) -> None:
        if isinstance(event, Log) and event.text.startswith("trying: features"):
            raise Cancelled

    found = service("diagnose")
    with pytest.raises(Cancelled):
        found.answer(Context(project, None), found.read({}), stop)


def test_a_bisection_tells_each_step(project: Path) -> None:
    from engine.events import Found

    tiny.configure(project, QUANT_FEATURE_BIT=4)
    told: list[Any] = []
    found = service("bisect")
    document = found.answer(Context(project, None), found.read({"target": 0.999}), told.append)
    events = [e for e in told if isinstance(e, Found)]
    assert len([e for e in events if e.kind == "asking"]) >= 2
    assert [e.data["mark"] for e in events if e.kind == "answered"] == [step["mark"] for step in document["log"]]
    assert document["culprits"] != []
    assert Path(document["path"]).exists()


def test_a_bisection_by_hand_is_a_row_of_requests(project: Path) -> None:
    """Each is asked of another worker; the log on disk holds the search together."""
    tiny.configure(project, QUANT_FEATURE_BIT=4)

    def ask(**fields: Any) -> Any:
        return Asked(project)("bisect", target=0.999, **fields)

    first = ask(steps=1, good=["BatchNormScale"])
    layers = [row["name"] for row in converted(project)["nodes"]]
    signs = dict(zip(layers, first["states"], strict=True))
    assert (first["finished"], first["evaluations"], signs["data/BatchNormScale"]) == (False, 1, "+")
    assert sorted(n for n, sign in signs.items() if sign == ">") == first["asking"]["floats"]
    marked = ask(mark="bad", steps=0, read=True)
    assert '"note": "marked by hand"' in marked["text"]
    edited = marked["text"].replace('"note": "marked by hand"', '"note": "looked at"')
    back = ask(undo=1, steps=0)
    assert back["asking"] == first["asking"]
    replayed = Asked(project)("bisect", text=edited, steps=0)
    assert replayed["log"][-1]["note"] == "looked at"
    assert replayed["target"] == 0.999
    assert Asked(project)("bisect", replay=replayed["path"], steps=0)["asking"] == marked["asking"]
    with pytest.raises(ConfigError, match="the edited log:3"):
        Asked(project)("bisect", text=edited.replace('{"bisect"', 'what\n{"bisect"'), steps=0)


def test_widths_are_tuned_for_a_target(project: Path) -> None:
    found = service("tune")
    document = found.answer(Context(project, None), found.read({"target": 0.9995}), silent)
    assert document["met"]
    assert set(document["widths"]) == {"data/BatchNormScale", "r1", "c2", "g", "scores"}
    assert [p["cost"] for p in document["front"]] == sorted(p["cost"] for p in document["front"])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"target": 2}, "a target of 2 makes no sense"),
        ({"budget": 0}, "a budget of 0 makes no sense"),
        ({"bits": [9]}, "9-bit features, legal are"),
        ({"at": "c3"}, "'c3' is no layer of this network"),
        ({"metric": "cosine"}, "metric"),
    ],
)
def test_a_goal_that_makes_no_sense(ask: Asked, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ask("tune", **fields)


def test_widths_are_tuned_as_the_command_does(ask: Asked) -> None:
    document = ask("tune", target=25, budget=1.5, bits=[4, 8, 12], metric="sqnr", at="c2")
    assert (document["metric"], document["at"], document["target"], document["budget"]) == ("sqnr", "c2", 25, 1.5)
    assert set(document["widths"].values()) <= {4, 8, 12}
    assert document["chosen"]["cost"] <= 1.5
    assert document["met"] == (document["chosen"]["sqnr_db"] >= 25)
    assert ask("tune", metric="sqnr")["target"] == 20
