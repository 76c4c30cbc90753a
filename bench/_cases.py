"""The real models of ../shared as projects in a temporary folder, and helpers to run a process and weigh it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@dataclass(frozen=True)
class Case:
    """One model with its preprocessing."""

    name: str
    model: Path
    input: str
    mean: tuple[float, ...]
    normal: tuple[float, ...]
    size: int = 224


@dataclass(frozen=True)
class Outcome:
    """What a process did: wall clock in seconds, peak resident set in MB, its standard output."""

    seconds: float
    peak_mb: float
    output: str


def require_shared() -> None:
    """End with exit code 2 and the reason when the models are not there."""
    if not SHARED.is_dir():
        print(f"needs the models and pictures of {SHARED.name}/ beside the repository")
        sys.exit(2)


def cases(folder: Path, names: tuple[str, ...] = ("efficientnet_lite0", "resnet18")) -> list[Case]:
    """Return the models, making the ResNet-18 in `folder`."""
    require_shared()
    found = []
    if "efficientnet_lite0" in names:
        found.append(Case("efficientnet_lite0", SHARED / "models/efficientnet_lite0.onnx", "images", (127.0,), (128.0,)))
    if "resnet18" in names:
        model = folder / "resnet18.onnx"
        subprocess.run([sys.executable, str(SHARED / "models/make_resnet18.py"), str(model)], check=True, stdout=subprocess.DEVNULL)
        found.append(Case("resnet18", model, "data", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))
    return found


def project(case: Case, folder: Path, *, calib: Path | None = None, debug: Path | None = None, **keys: Any) -> Path:
    """Write a project folder for a model, as a user has it."""
    root = folder / f"project_{case.name}"
    (root / "cfg").mkdir(parents=True, exist_ok=True)
    config = {
        "SOC": "T40",
        "INPUT": [case.input],
        "INPUT_SHAPE": [1, 3, case.size, case.size],
        "MEAN": list(case.mean) * (3 // len(case.mean)),
        "NORMAL": list(case.normal) * (3 // len(case.normal)),
        "COLOR": ["RGB"],
        "QUANT_DATASET_PATH": str(calib or SHARED / "images/calib"),
        "DEBUG_PATH": str(debug or SHARED / "images/debug"),
        **keys,
    }
    (root / "cfg/magik_t40.cfg").write_text(json.dumps(config, indent=4))
    script = (
        f"magik-transform-tools -i {case.model} -o ./out/{case.name}_t40_magik.mk.h -cfg ./cfg/magik_t40.cfg --save_quantize_model true\n"
    )
    (root / "run_t40.sh").write_text(script)
    return root


def weigh(command: list[str], **kwargs: Any) -> Outcome:
    """Run a command to its end and return what it took. Raises CalledProcessError when it fails."""
    start = time.perf_counter()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as on a user's machine
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment, **kwargs
    ) as process:
        output, errors = process.communicate()
        seconds = time.perf_counter() - start
    peak = 0.0
    for line in errors.splitlines():
        if line.startswith("peak_rss_mb "):
            peak = float(line.split()[1])
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output, errors)
    return Outcome(seconds, peak, output)


def weighed(arguments: list[str]) -> list[str]:
    """Return a command that runs another one and reports the peak resident set of its whole process on standard error."""
    code = (
        "import os,resource,subprocess,sys;"
        "r=subprocess.run(sys.argv[1:]).returncode;"
        "print('peak_rss_mb', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss/1024, file=sys.stderr);"
        "sys.exit(r)"
    )
    return [sys.executable, "-c", code, *arguments]


def run_command(root: Path, *flags: str) -> list[str]:
    """Return the command line of a headless run."""
    return weighed([str(Path(sys.executable).parent / "magik-tui"), "run", str(root), "--json", *flags])


def fresh(root: Path) -> None:
    """Delete what earlier runs stored, so that the next one is cold."""
    subprocess.run(["rm", "-rf", str(root / ".magik"), str(root / "out"), str(root / "magik_dump_path")], check=True)


def verdict(text: str, value: float, limit: float, *, at_least: bool = False) -> bool:
    """Print one figure against its promise and tell whether it holds."""
    held = value >= limit if at_least else value <= limit
    print(f"{text}: {value:.3f} ({'at least' if at_least else 'at most'} {limit:.3f}) {'ok' if held else 'BROKEN'}", flush=True)
    return held


def cores() -> int:
    """Return the processors this process may use."""
    return len(os.sched_getaffinity(0))
