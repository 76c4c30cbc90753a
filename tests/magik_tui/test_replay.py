"""The guide's chapters 3.3 and 4 as a person goes through them, on the sample project: keys in tmux, and the files that are left."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.magik_tui.tmux import ROOT, Tmux, missing

SAMPLE = ROOT / "sample_projects" / "resnet18"
BITS = "magik_node_quant_bit_info.json"
ILL = "resnetv15_stage1_batchnorm3_fwd"
pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


def headless(project: Path) -> Any:
    """Return the document of `magik-tui run`."""
    command = [sys.executable, "-P", "-m", "magik_tui", "run", "--json", str(project)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample project after its first run, so that only one run has to compute everything."""
    made_by_runs = (".magik", "magik_dump_path", "venus_sample*", BITS)
    project = tmp_path_factory.mktemp("guide") / "resnet18"
    shutil.copytree(SAMPLE, project, ignore=shutil.ignore_patterns(*made_by_runs))
    headless(project)
    return project


@pytest.fixture
def bench(converted: Path, tmp_path: Path) -> Iterator[tuple[Tmux, Path]]:
    """The workbench on a copy of the project, with the first table on the screen."""
    project = tmp_path / "resnet18"
    shutil.copytree(converted, project)
    tmux = Tmux(tmp_path, project)
    try:
        tmux.shows(" done 33 layers, 12 samples", "resnetv15_dense0_fwd")
        yield tmux, project
    finally:
        tmux.close()


def rows(screen: str) -> dict[str, list[str]]:
    """Return name -> type, bits, worst and mean cosine of the layers in the heatmap."""
    pattern = r"^[> ][x ] (\S+) +(\w+) +(\S+) +([\d.]+) +([\d.]+) "
    return {name: rest for name, *rest in re.findall(pattern, screen, re.MULTILINE)}


def output_cosine(screen: str) -> float:
    """Return the mean cosine of the outputs, from the first line."""
    found = re.search(r"mean output cosine ([\d.]+)", screen.splitlines()[0])
    assert found is not None, screen
    return float(found[1])


def better(than: float) -> Callable[[str], bool]:
    """Tell whether the table on the screen is a finished one with a better output."""
    return lambda screen: " done 33 layers" in screen and output_cosine(screen) > than


def with_lines(text: str, *lines: str) -> bytes:
    """Return magik.cfg with keys behind its last one."""
    assert text.endswith('"\n}\n')
    return (text.removesuffix("\n}\n") + "".join(",\n" + line for line in lines) + "\n}\n").encode()


def config(project: Path) -> bytes:
    return (project / "cfg" / "magik_t40.cfg").read_bytes()


ORIGINAL = (SAMPLE / "cfg" / "magik_t40.cfg").read_text()


def test_chapter_3_finds_the_guilty_operators_and_keeps_them_in_float(bench: tuple[Tmux, Path]) -> None:
    tmux, project = bench
    layers = rows(tmux.screen())
    assert len(layers) == 33
    assert min(layers, key=lambda name: float(layers[name][2])) == ILL
    tmux.walk("n", lambda screen: f">x {ILL}" in screen)

    tmux.press("4", "for cosine_avg 0.99 at the outputs?")
    tmux.press("t", "the cosine_avg to reach")
    tmux.write("9", "0.999")
    tmux.press("Enter", "for cosine_avg 0.999 at the outputs?")
    found = tmux.press("Enter", "x bad", "minimal")
    culprits = re.findall(r"x bad +[\d.]+ +[\d.]+ +(\S+)", found)
    assert ILL in culprits
    assert set(culprits) < set(layers)

    tmux.press("s", f"{len(culprits)} operators: float")
    tmux.until(better(0.999))
    assert config(project) == ORIGINAL.encode()  # nothing is written before it is asked for
    tmux.press("5", "~ float")
    tmux.press("a", "wrote ", "magik_t40.cfg")
    assert tmux.quit() == 0

    names = ",\n".join(f'        "{name}"' for name in culprits)
    assert config(project) == with_lines(ORIGINAL, f'    "QUANT_NODE_SKIP": [\n{names}\n    ]')
    assert not (project / BITS).exists()
    after = headless(project)
    assert [node["name"] for node in after["nodes"] if node["feature_bits"] is None] == culprits
    assert after["outputs"][0]["cosine_avg"] >= 0.999


def test_chapter_3_blames_the_features_and_gives_all_of_them_more_bits(bench: tuple[Tmux, Path]) -> None:
    tmux, project = bench
    healthy = output_cosine(tmux.screen())

    def give(key: str, value: str) -> None:
        tmux.walk("j", lambda screen: f"\n{key}: " in screen)
        tmux.press("Enter", "type a part of it")
        tmux.write(value, f"> {value}", "it\n" + value)
        tmux.press("Enter", f"* {key}")

    tmux.press("1", '"QUANT_DATASET_PATH"')
    tmux.press("f", "  FEATURE_FAKE_QUANT       false")
    give("FEATURE_FAKE_QUANT", "true")
    tmux.press("s", "saved ")
    tmux.until(lambda screen: " done 33 layers" in screen and output_cosine(screen) != healthy)
    assert config(project) == with_lines(ORIGINAL, '    "FEATURE_FAKE_QUANT": true')
    tmux.press("x", "  FEATURE_FAKE_QUANT       false")
    tmux.press("s")
    tmux.until(lambda screen: config(project) == ORIGINAL.encode())  # not a byte is left of the experiment

    tmux.press("g")
    give("QUANT_FEATURE_BIT", "10")
    tmux.press("s")
    tmux.until(better(healthy))
    assert tmux.quit() == 0
    assert config(project) == with_lines(ORIGINAL, '    "QUANT_FEATURE_BIT": 10')


def test_chapter_4_gives_12_bits_to_the_layers_that_need_them(bench: tuple[Tmux, Path]) -> None:
    tmux, project = bench
    before = tmux.screen()
    layers = list(rows(before))
    raised = layers[layers.index("resnetv15_relu0_fwd") : layers.index("resnetv15_stage1_activation1") + 1]
    dump = project / "magik_dump_path" / "ptq_model" / f"{raised[0]}.bin"
    of_bytes = dump.stat().st_size

    tmux.press("5", "resnetv15_relu0_fwd +1")  # the pooling shares its levels
    tmux.press("j")
    for _ in raised[1:]:
        tmux.press("Space")
    for width in ("10", "12"):
        tmux.press("+", "7 changed")
        tmux.until(lambda screen, width=width: re.search(rf"\b{width}(/8)? +{width}(/8)? .*resnetv15_stage1_activation1", screen))
    tmux.shows("good · no layer falls below 0.98")
    assert not (project / BITS).exists()
    tmux.press("a", "wrote ", BITS)
    tmux.press("2")
    shown = rows(tmux.until(lambda screen: len(rows(screen)) == len(layers)))
    assert [name for name in shown if shown[name][1].startswith("12")] == raised
    tmux.press("r")
    tmux.until(lambda screen: " done 33 layers" in screen and dump.stat().st_size == 2 * of_bytes)  # two bytes a value now
    assert tmux.quit() == 0

    assert config(project) == with_lines(ORIGINAL, '    "LOAD_OP_QUANT_BIT": true')
    entries = (f'\t"{name}": {{\n\t\t"QUANT_FEATURE_BIT": {12 if name in raised else 8}\n\t}}' for name in layers)
    assert (project / BITS).read_text() == "{\n" + ",\n".join(entries) + "\n}\n"
    assert [node["name"] for node in headless(project)["nodes"] if node["feature_bits"] == 12] == raised
