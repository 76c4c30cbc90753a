"""A project that is broken in a known way: the first thing that is said is what was broken, and what is advised does what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from engine.diagnosis.examine import diagnose as examined
from engine.discover import find_project, job_for
from engine.errors import Cancelled
from engine.events import Event, Progress, silent
from engine.export.config_file import edit_config
from engine.lab import open_lab
from tests.engine import tiny
from tests.engine.diagnosis import fitted
from tests.engine.running import converted

from .conftest import Diagnose

RIGHT = {"MEAN": fitted.MEAN, "NORMAL": fitted.NORMAL, "COLOR": ["RGB"]}


def test_a_sound_project_is_healthy(diagnose: Diagnose) -> None:
    said = diagnose()
    assert (said.document["verdict"], said.document["cause"], said.document["hint"]) == ("healthy", "none", False)
    assert said.document["headline"]["claim"].startswith("healthy: nothing has to be mended")
    fed = said.findings["preprocessing"]
    assert fed["level"] == "fine"
    assert fed["numbers"]["divergence"] < 0.1 < fed["numbers"]["swapped"]


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        (["COLOR=BGR"], ["COLOR"]),
        (["MEAN=0", "NORMAL=1"], ["MEAN", "NORMAL"]),
        (["MEAN=0"], ["MEAN"]),
        (["NORMAL=1"], ["NORMAL"]),
        (["MEAN=[0.485,0.456,0.406]", "NORMAL=[0.229,0.224,0.225]"], ["MEAN", "NORMAL"]),
        (["MEAN=0", "NORMAL=1", "QUANT_FEATURE_BIT=4"], ["MEAN", "NORMAL"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_wrong_preprocessing_is_said_first_with_the_right_one(settings: list[str], keys: list[str], diagnose: Diagnose) -> None:
    document = diagnose(*settings).document
    assert document["cause"] == "preprocessing"
    assert document["headline"]["claim"].startswith("the network is fed with something else than in its training")
    first = document["fixes"][0]
    assert (first["kind"], first["caution"]) == ("preprocessing", "")
    assert first["config"] == {key: RIGHT[key] for key in keys}
    assert first["after"]["cosine_avg"] is not None


def test_without_statistics_a_missing_normal_is_a_hint(root: Path, diagnose: Diagnose) -> None:
    (root / "net.onnx").write_bytes(fitted.model(folded=True))
    right = diagnose().findings["preprocessing"]
    assert right["level"] == "unknown"
    assert right["numbers"]["bias_share"] > 0.3
    assert "compare its answer for a picture you know" in right["claim"]
    said = diagnose("MEAN=0", "NORMAL=1")
    assert (said.document["hint"], said.document["cause"]) == (True, "none")
    assert said.findings["preprocessing"]["numbers"]["bias_share"] < 0.03
    assert said.document["headline"]["claim"].startswith("NORMAL is likely missing or too small, which was not proved")
    assert said.document["fixes"][0]["config"] == {"NORMAL": [255, 255, 255]}
    assert "no proof" in said.document["fixes"][0]["caution"]


@pytest.mark.parametrize(
    ("settings", "keys"),
    [(["COLOR=BGR"], {"COLOR"}), (["MEAN=0", "NORMAL=1"], {"MEAN", "NORMAL"}), (["MEAN=0"], {"MEAN"})],
    ids=lambda value: " ".join(sorted(value)),  # of a set in the same order in every process
)
def test_a_linear_bottleneck_hints_at_a_wrong_preprocessing(settings: list[str], keys: set[str], root: Path, diagnose: Diagnose) -> None:
    (root / "net.onnx").write_bytes(fitted.model(folded=True, bottleneck=True))
    said = diagnose(*settings)
    fed = said.findings["preprocessing"]
    assert (fed["level"], fed["numbers"]["tensor"], said.document["hint"]) == ("hint", "n1", True)
    assert 2 * fed["numbers"]["best"] < fed["numbers"]["divergence"]
    first = said.document["fixes"][0]
    assert first["config"] == {key: RIGHT[key] for key in RIGHT if key in keys}
    assert "no proof" in first["caution"]
    assert first["title"] == f"another {' and '.join(first['config'])}"
    assert first["after"]["cosine_avg"] is not None
    assert "is likely right, in place of what is configured, which was not proved" in said.document["headline"]["claim"]


def test_a_linear_bottleneck_fits_what_is_right(root: Path, diagnose: Diagnose) -> None:
    (root / "net.onnx").write_bytes(fitted.model(folded=True, bottleneck=True))
    said = diagnose()
    fed = said.findings["preprocessing"]
    assert (fed["level"], said.document["hint"]) == ("fine", False)
    assert fed["numbers"]["swapped"] > 2 * fed["numbers"]["divergence"]


@pytest.mark.parametrize(("key", "bits"), [("QUANT_FEATURE_BIT", 4), ("QUANT_WEIGHT_BIT", 2)])
def test_few_bits_are_said_first(key: str, bits: int, diagnose: Diagnose) -> None:
    document = diagnose(f"{key}={bits}").document
    assert document["cause"] == "width"
    assert f"{bits} bits for {'features' if bits == 4 else 'weights'} are too few" in document["headline"]["claim"]
    first = document["fixes"][0]
    assert (first["config"], first["heals"]) == ({key: 8}, True)


def test_black_calibration_pictures_are_said_first(root: Path, diagnose: Diagnose) -> None:
    for path in (root / "calibration").iterdir():
        Image.new("RGB", (16, 16)).save(path)
    said = diagnose()
    assert said.document["cause"] == "calibration"
    assert "the calibration set does not show what the network is measured on" in said.document["headline"]["claim"]
    assert said.findings["calibration_pictures"]["numbers"]["faulty"] == 12
    assert said.findings["first_layer"]["numbers"]["cause"] == "the calibration set"
    assert said.findings["preprocessing"]["level"] == "fine"  # black pictures are no evidence
    first = said.document["fixes"][0]
    assert first["do"].startswith("put samples like those of DEBUG_PATH")
    assert first["after"]["cosine_avg"] > 0.99 > first["before"]["cosine_avg"]
    assert first["samples"] == 3


def test_a_few_black_calibration_pictures_are_named(root: Path, diagnose: Diagnose) -> None:
    for name in ("c03.png", "c07.png"):
        Image.new("RGB", (16, 16)).save(root / "calibration" / name)
    document = diagnose().document
    assert document["calibration_pictures"] == [{"sample": n, "fault": "mostly black"} for n in ("c03.png", "c07.png")]
    tried = next(t for t in document["trials"] if t["without"])
    assert tried["without"] == ["c03.png", "c07.png"]


def test_a_loud_channel_is_found_in_its_operator(root: Path, diagnose: Diagnose) -> None:
    (root / "net.onnx").write_bytes(fitted.model(gain=400.0))
    document = diagnose().document
    assert (document["verdict"], document["cause"]) == ("unhealthy", "operators")
    assert "r0" in {c["name"] for c in document["operators"]["culprits"]}
    assert document["operators"]["healed"] >= document["operators"]["target"]


def test_where_the_whole_is_not_found_the_few_that_take_half_of_the_noise_are(
    root: Path, diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.diagnosis.culprits.BUDGET", 0)
    (root / "net.onnx").write_bytes(fitted.model(gain=800.0))
    said = diagnose()
    found, baseline = said.document["operators"], said.document["baseline"]
    assert (found["more"], found["crowd"]) == (0.99, 0)
    assert baseline["cosine_avg"] < found["target"] < 0.99
    assert found["healed"] >= found["target"]
    assert "r0" in {c["name"] for c in found["culprits"]}
    floats = next(t for t in said.document["trials"] if "QUANT_NODE_SKIP" in t["config"])
    assert floats["config"]["QUANT_NODE_SKIP"] == [c["name"] for c in found["culprits"]]
    assert floats["cost"]["features"] > 1
    assert floats["noise_left"] <= 0.5


@pytest.mark.parametrize("setting", ["QUANT_FEATURE_BIT=4", "QUANT_WEIGHT_BIT=3", "MEAN=0"])
def test_every_fix_does_what_it_says(setting: str, root: Path, tmp_path: Path, diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of each fix, written where they belong, give the figures it promises in a conversion of its own."""
    key, _, value = setting.partition("=")
    edit_config(root / "magik.cfg", {key: json.loads(value)})
    document = diagnose().document
    fixes = [t for t in document["trials"] if t["config"] and not t["do"] and t["samples"] == 6]
    assert len(fixes) >= 6
    assert any(t["bit_file"] for t in fixes) == (setting != "MEAN=0")
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".magik"))
    monkeypatch.chdir(copy)
    for fix in fixes:
        shutil.copy(root / "magik.cfg", copy)
        edit_config(copy / "magik.cfg", fix["config"])
        bits = copy / "magik_node_quant_bit_info.json"
        bits.write_text(json.dumps(fix["bit_file"])) if fix["bit_file"] else bits.unlink(missing_ok=True)
        output = converted(copy)["outputs"][0]
        assert output["cosine_avg"] == pytest.approx(fix["after"]["cosine_avg"], abs=1e-6), fix["title"]
        assert output["cosine_avg"] - fix["before"]["cosine_avg"] == pytest.approx(fix["gain"], abs=1e-6)


def test_lines_are_the_members_of_the_configuration(diagnose: Diagnose) -> None:
    for trial in diagnose("WEIGHT_CORRECT_PATH=./calibration", "QUANT_DATASET_SIZE=12").document["trials"]:
        kept = {k: v for k, v in trial["config"].items() if v is not None}
        assert json.loads("{" + ",".join(line for line in trial["lines"] if not line.startswith("-")) + "}") == kept
        assert {line[1:] for line in trial["lines"] if line.startswith("-")} == {k for k, v in trial["config"].items() if v is None}


def test_what_is_on_already_is_tried_off(diagnose: Diagnose) -> None:
    document = diagnose("WEIGHT_CORRECT_PATH=./calibration", "QUANT_DATASET_SIZE=12", "QUANT_FEATURE_METHOD=MSE").document
    configs = [t["config"] for t in document["trials"]]
    assert {"WEIGHT_CORRECT_PATH": None} in configs
    assert {"QUANT_DATASET_SIZE": None} in configs
    assert {"QUANT_FEATURE_METHOD": "KL"} in configs
    assert {"QUANT_FEATURE_METHOD": "MSE"} not in configs


def test_wide_features_by_a_coarse_method_get_another_one(diagnose: Diagnose) -> None:
    configs = [t["config"] for t in diagnose("QUANT_FEATURE_METHOD=KL").document["trials"]]
    assert {"QUANT_FEATURE_BIT": 12, "QUANT_FEATURE_METHOD": "MSE"} in configs


def test_widths_are_those_of_the_chip(diagnose: Diagnose) -> None:
    tried = {t["config"]["QUANT_FEATURE_BIT"] for t in diagnose("SOC=A1").document["trials"] if "QUANT_FEATURE_BIT" in t["config"]}
    from engine.socs import profiles

    assert tried == {bits for bits in profiles()["A1"].feature_bits if bits > 8}


def test_the_bit_file_does_not_hold_wider_features_back(root: Path, diagnose: Diagnose) -> None:
    (root / "magik_node_quant_bit_info.json").write_text(json.dumps({"r0": {"QUANT_FEATURE_BIT": 4}}))
    document = diagnose("LOAD_OP_QUANT_BIT=true").document
    wide = next(t for t in document["trials"] if t["config"].get("QUANT_FEATURE_BIT") == 12)
    assert wide["config"]["LOAD_OP_QUANT_BIT"] is False
    assert wide["after"]["worst_cosine"] > document["baseline"]["worst_cosine"]


def test_a_chip_that_is_not_known_has_no_cost(diagnose: Diagnose) -> None:
    document = diagnose("SOC=").document
    assert document["baseline"]["cost"]["features"] is None
    assert document["fixes"]


def test_calibration_samples_that_are_measured_on_do_not_flatter(root: Path, diagnose: Diagnose) -> None:
    for name in ("d00.png", "d01.png"):
        shutil.copy(root / "debug" / name, root / "calibration")
    document = diagnose("QUANT_WEIGHT_BIT=3").document
    corrected = next(t for t in document["trials"] if t["kind"] == "correction")
    assert corrected["do"] == "copy 12 calibration samples that are not in DEBUG_PATH into ./correct_img"
    (root / "correct_img").mkdir()
    for index in range(12):
        shutil.copy(root / "calibration" / f"c{index:02}.png", root / "correct_img")
    output = converted(root, "QUANT_WEIGHT_BIT=3", "WEIGHT_CORRECT_PATH=./correct_img")["outputs"][0]
    assert output["cosine_avg"] == pytest.approx(corrected["after"]["cosine_avg"], abs=1e-6)
    assert any("flatters" in each["why"] for each in document["untried"])


def test_nothing_is_corrected_on_what_is_measured(diagnose: Diagnose) -> None:
    document = diagnose("QUANT_WEIGHT_BIT=3", "DEBUG_PATH=./calibration").document
    assert not [t for t in document["trials"] if t["kind"] == "correction"]
    assert {"WEIGHT_CORRECT_PATH", "calibrating on samples like the debug samples"} <= {u["what"] for u in document["untried"]}


def test_a_change_that_cannot_be_tried_ends_nothing(root: Path, diagnose: Diagnose) -> None:
    for index in range(6):  # those that half of the samples would be
        (root / "calibration" / f"c{index:02}.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    document = diagnose().document
    assert any(u["what"] == "calibrate on 6 samples" and "none of the 6" in u["why"] for u in document["untried"])
    assert document["verdict"] == "healthy"


def test_pictures_that_do_badly_are_listed(root: Path, diagnose: Diagnose) -> None:
    Image.new("RGB", (16, 16)).save(root / "debug" / "d02.png")
    rows = {r["sample"]: r for r in diagnose().document["debug_samples"]}
    assert rows["d02.png"]["fault"] == "mostly black"
    assert len(rows) == 6


def test_fakes_are_switched_off(diagnose: Diagnose) -> None:
    plain, fake = diagnose("QUANT_FEATURE_BIT=4"), diagnose("QUANT_FEATURE_BIT=4", "WEIGHT_FAKE_QUANT=true")
    assert "switched off" in fake.errors
    assert fake.document["baseline"] == plain.document["baseline"]


def test_samples_that_are_no_pictures_are_diagnosed_too(root: Path, diagnose: Diagnose) -> None:
    for folder, seed in (("calibration", 0), ("debug", 50)):
        for index, path in enumerate(sorted((root / folder).iterdir())):
            path.unlink()
            values = (fitted.pixels(seed + index).astype("<f4") - fitted.MEAN) / fitted.NORMAL
            values.transpose(2, 0, 1).astype("<f4").tofile(path.with_suffix(".bin"))
    said = diagnose("MEAN=0", "NORMAL=1", "QUANT_FEATURE_BIT=4")
    assert said.findings["preprocessing"]["claim"] == "the samples are no pictures: MEAN, NORMAL and COLOR are not judged"
    assert said.document["cause"] == "width"


def test_processes_say_the_same(root: Path, diagnose: Diagnose) -> None:
    one, two = diagnose("QUANT_FEATURE_BIT=4").document, diagnose("QUANT_FEATURE_BIT=4", "--jobs=2").document
    assert two["fixes"] == one["fixes"]


def test_again_it_says_the_same(diagnose: Diagnose) -> None:
    one, two = diagnose("QUANT_FEATURE_BIT=4").document, diagnose("QUANT_FEATURE_BIT=4").document
    timing = one.pop("timing"), two.pop("timing")
    assert one == two
    assert all({"as it is", "preprocessing", "sides", "operators", "features of 8 bits", "all"} <= set(part) for part in timing)
    assert all(sum(part.values()) <= 2 * part["all"] for part in timing)


def test_it_changes_no_file(root: Path, diagnose: Diagnose) -> None:
    before = tiny.files(root)
    assert diagnose("QUANT_FEATURE_BIT=4").code == 0
    assert tiny.files(root) == before


@pytest.mark.parametrize("after", [0, 40, 120])
def test_a_hook_stops_it_and_leaves_nothing(after: int, root: Path) -> None:
    count = 0

    def stop(event: Event) -> None:
        nonlocal count
        count += isinstance(event, Progress)
        if count > after:
            raise Cancelled

    before = tiny.files(root)
    with open_lab(job_for(find_project(root), ["QUANT_FEATURE_BIT=4"]), report=silent, jobs=1) as lab, pytest.raises(Cancelled):
        examined(lab.telling(stop))
    assert tiny.files(root) == before
    assert tiny.temporary(root) == []


MISTAKES: list[tuple[list[str], str]] = [
    (["DEBUG_PATH="], "DEBUG_PATH: there is nothing to measure on"),
    (["QUANT_DATASET_PATH="], "QUANT_DATASET_PATH: nothing is quantized"),
    (['QUANT_OP_SKIP=["BatchNormScale","Conv2D","GlobalAvgPool","Flatten","MatMul"]'], "no layer is quantized"),
    (["DEBUG_PATH=./nowhere"], "nowhere"),
    (["QUANT_FEATURE_BIT=9"], "9-bit features"),
    (["--markdown", "--json"], "--json and --markdown exclude each other"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_what_cannot_be_diagnosed_is_said(arguments: list[str], said: str, root: Path, diagnose: Diagnose) -> None:
    before = tiny.files(root)
    found = diagnose(*arguments)
    assert (found.code, found.out) == (2, "")
    assert said in found.errors.splitlines()[-1]
    assert "Traceback" not in found.errors
    assert tiny.files(root) == before


def test_a_report_to_paste(diagnose: Diagnose) -> None:
    text = diagnose("--markdown", "QUANT_FEATURE_BIT=4").out
    assert text.startswith("# Diagnosis of project\n")
    assert '"QUANT_FEATURE_BIT": 8' in text
    assert text.count("```") % 2 == 0
