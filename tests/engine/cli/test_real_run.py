"""The commands and the worker on a real, if tiny, model: from the user's own script to JSON, and again without work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
FIELDS = (
    "name op quantized reason feature_bits weight_bits method min max scale zero_point cosine_avg cosine_min cosine_max euc_distance "
    "standard_deviation max_absolute max_absolute_normalized sqnr_db saturation local_cosine samples"
)


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that has to succeed."""
    done = subprocess.run(command, cwd=cwd, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done


def test_the_users_own_script(project: Path, tmp_path: Path) -> None:
    """`sh run_t40.sh` finds our tool on the path where the vendor's was; its numbers are those of `magik-tui run`."""
    (project / "debug" / "notes.txt").write_text("no picture")
    tool = tmp_path / "bin" / "magik-transform-tools"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m engine.cli.transform "$@"\n')
    tool.chmod(0o755)
    done = run("sh", "run_t40.sh", cwd=project, PATH=f"{tool.parent}:{os.environ['PATH']}")
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-2] == "* ^_^ Convert successfully, Enjoy it ^_^ *"
    assert next(line for line in lines if "notes.txt" in line).partition(": ")[2].startswith("W samples.py:")
    for stage in ("CollectFeatureDistribution", "ComputeScale", "Compute distance"):
        assert lines.count(f"{stage}: 100.00 %") == 1
    model = (project / "out" / "net.bin").read_bytes()
    assert model == (project / "out" / "save-magik" / "model_quant.mgk").read_bytes()

    table = run(sys.executable, "-m", "engine.cli.main", "run", project, cwd=tmp_path).stdout
    figures = [line for line in table.splitlines() if not line.startswith(("wrote ", "took "))]  # paths and times are their own
    assert len(table.splitlines()) > len(figures) > 2
    assert figures == [line for line in lines if line in set(figures)]
    assert (project / "out" / "net.bin").read_bytes() == model


def test_the_document(project: Path, tmp_path: Path) -> None:
    """One JSON document with every promised field; an identical run gives the same one without loading what computes."""
    command = ("engine.cli.main", "run", str(project), "--json")
    first = json.loads(run(sys.executable, "-m", *command, cwd=tmp_path).stdout)
    assert set(FIELDS.split()) <= set(first["nodes"][0])
    assert {"schema", "model", "soc", "outputs", "timing", "peak_rss_mb", "artefacts", "warnings"} <= set(first)
    assert [sample["sample"] for sample in first["nodes"][0]["samples"]] == ["0.png", "1.png"]
    assert all(Path(name).exists() for name in first["artefacts"])

    script = (
        "import json, runpy, sys\nsys.argv = sys.argv[1:]\n"
        "try: runpy.run_module(sys.argv[0], run_name='__main__')\n"
        "finally: print(json.dumps(list(sys.modules)), file=sys.stderr)"
    )
    again = run(sys.executable, "-c", script, *command, cwd=tmp_path)
    assert not {"numpy", "onnx", "onnxruntime", "PIL"} & set(json.loads(again.stderr.splitlines()[-1]))
    second = json.loads(again.stdout)
    for document in (first, second):
        del document["timing"], document["peak_rss_mb"]
    assert first == second


def test_every_way_to_name_the_project(project: Path) -> None:
    """From above, from inside, by its script: the artefacts always lie where the script says, and nowhere else."""
    (project / "cfg").mkdir()
    inputs = {path.name for path in project.iterdir()}
    for folder, name in ((project.parent, project.name), (project, "."), (project / "cfg", ".."), (project, "run_t40.sh")):
        document = json.loads(run(sys.executable, "-m", "engine.cli.main", "run", name, "--json", cwd=folder).stdout)
        made = {(folder / path).resolve().relative_to(project) for path in map(Path, document["artefacts"])}
        assert made >= {Path("out/net.bin"), Path("out/magik_model_net.mk.h"), Path("out/save-magik/model_quant.mgk")}
        assert {path.name for path in project.iterdir()} == inputs | {"out", "magik_dump_path", ".magik"}


def test_a_setting_changes_what_it_says(project: Path, tmp_path: Path) -> None:
    """Fewer bits, a lower cosine; the configuration on disk is not touched."""
    before = (project / "magik.cfg").read_bytes()
    command = (sys.executable, "-m", "engine.cli.main", "run", str(project), "--json")
    eight = json.loads(run(*command, cwd=tmp_path).stdout)
    four = json.loads(run(*command, "--set", "QUANT_FEATURE_BIT=4", cwd=tmp_path).stdout)
    assert {node["feature_bits"] for node in four["nodes"] if node["quantized"]} == {4}
    assert four["outputs"][0]["cosine_avg"] < eight["outputs"][0]["cosine_avg"]
    assert (project / "magik.cfg").read_bytes() == before


def test_the_worker_tells_what_the_command_prints(project: Path, tmp_path: Path) -> None:
    """The result of a run over JSON lines is the document of `magik-tui run --json`; rows come before samples."""
    document = json.loads(run(sys.executable, "-m", "engine.cli.main", "run", str(project), "--json", cwd=tmp_path).stdout)
    with subprocess.Popen(
        [sys.executable, "-m", "engine.worker", project], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path
    ) as worker:
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(b'{"id": 1, "do": "run"}\n')
        worker.stdin.flush()
        messages = []
        while not messages or messages[-1]["event"] not in ("result", "error"):
            messages.append(json.loads(worker.stdout.readline()))
        worker.stdin.close()
    assert worker.returncode == 0
    kinds = [message["event"] for message in messages if message["event"] != "progress"]
    assert kinds == ["hello", "layers", "sample", "sample", "result"]
    value = messages[-1]["value"]
    for each in (document, value):
        del each["timing"], each["peak_rss_mb"]
    assert value == document
