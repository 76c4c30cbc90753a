"""A worker that speaks docs/protocol.md with made-up rows, for the tests of the workbench and for looking at it.

    python fake_worker.py MODE [--layers N] [--samples N] [--pause SECONDS] [--pid-file FILE]

MODE: good, hostile (names), slow, deaf (ignores cancel and SIGTERM), dies (in its second run too), fails (the second run),
garbage (lines that are none), silent (never says hello), long (one line of megabytes).
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))  # it runs as a script, too

from tests.magik_tui.fake_bisect import Hunt

HOSTILE = (
    "x[/foo]", "onnx::Conv_123[int8]", "[bold red]a[/]", "\x1b[31mred\x1b[2J", "line\nbreak", "tab\there", "", " ",
    "a" * 300, "层/卷积_1", "👩‍👩‍👧 family", "\u202eturned", "z\u0301\u0301\u0301algo", "nul\x00", "\x9b31m", "$(reboot)",
    "{braces}", "back\\slash", "\ud800",
)  # fmt: skip
OPS = ("Conv2D", "Conv2D", "EltwiseAdd", "MaxPool", "BatchNormScale", "GlobalAvgPool")


def names(mode: str, count: int) -> list[str]:
    if mode == "hostile":
        return [HOSTILE[i % len(HOSTILE)] + (f"#{i}" if i >= len(HOSTILE) else "") for i in range(count)]
    return [f"resnetv15_stage{i // 6 + 1}_batchnorm{i % 6}_fwd" if i % 3 else f"resnetv15_relu{i}_fwd" for i in range(count)]


def cosine(layer: int, sample: int, layers: int) -> float | None:
    if layer == layers - 2:
        return None
    dip = 0.25 * math.exp(-(((layer - 0.6 * layers) / (0.06 * layers + 0.5)) ** 2))
    return round(1 - 0.0004 * (1 + layer % 7) - dip * (0.4 + 0.6 * ((sample * 7 + layer) % 5) / 4) - 0.0001 * sample, 5)


def figures(layer: int, sample: int, layers: int) -> dict[str, float | None]:
    """What else a sample says of a layer: noise that would leave its cosine, and less of it by itself."""
    whole = cosine(layer, sample, layers)
    if whole is None:
        return dict.fromkeys(("sqnr_db", "saturation", "local_cosine", "local_sqnr_db"))
    noise = 1 / whole**2 - 1
    alone = noise / (2 + layer % 3)
    return {
        "sqnr_db": round(-10 * math.log10(noise), 2), "saturation": round(noise / 20 * (layer % 4), 5),
        "local_cosine": round((1 + alone) ** -0.5, 5), "local_sqnr_db": round(-10 * math.log10(alone), 2),
    }  # fmt: skip


def row(name: str, layer: int, layers: int) -> dict[str, Any]:
    floats = layer == layers - 1
    return {
        "name": name, "op": "Softmax" if floats else OPS[layer % len(OPS)], "quantized": not floats,
        "reason": "Softmax runs in float between a dequantize and a quantize" if floats else None,
        "feature_bits": None if floats else 12 if layer == 3 else 8,
        "weight_bits": 8 if layer % len(OPS) < 2 and not floats else None, "method": None if floats else "KL",
        "min": -1.25 * layer, "max": 3.5 + layer, "scale": 0.0186275, "zero_point": 67,
        **dict.fromkeys((
            "cosine_avg", "cosine_min", "cosine_max", "euc_distance", "standard_deviation", "max_absolute",
            "max_absolute_normalized", "sqnr_db", "saturation", "mean_error", "local_cosine", "local_sqnr_db"), None), "samples": [],
    }  # fmt: skip


def measured(base: dict[str, Any], layer: int, layers: int, samples: list[str]) -> dict[str, Any]:
    scores = [cosine(layer, s, layers) for s in range(len(samples))]
    known = [s for s in scores if s is not None]
    more = [figures(layer, s, layers) for s in range(len(samples))]
    return base | {
        "cosine_avg": sum(known) / len(known) if known else None, "cosine_min": min(known, default=None),
        "cosine_max": max(known, default=None), "euc_distance": 0.09554, "standard_deviation": 0.08244,
        "max_absolute": 1.40185, "max_absolute_normalized": 3.95415, "sqnr_db": 18.42, "saturation": 0.0012, "mean_error": -0.00123,
        "local_cosine": 0.9991, "local_sqnr_db": 21.5,
        "samples": [{"sample": n, "cosine": s} for n, s in zip(samples, scores, strict=True)],
        "by_sample": {name: [each[name] for each in more] for name in figures(0, 0, layers)},
    }  # fmt: skip


def samples_of(mode: str, count: int) -> dict[str, Any]:
    known = [{"name": f"cat_{i:03d}.jpg", "files": [f"/home/me/debug/cat_{i:03d}.jpg"], "picture": True, "fault": ""} for i in range(count)]
    taken = HOSTILE if mode == "hostile" else ("a.png", "b.png")
    others = [{"name": n, "files": [n], "picture": True, "fault": "mostly black" if i == 1 else ""} for i, n in enumerate(taken)]
    said = ["2 samples, 10 to 200 are advised", *(taken if mode == "hostile" else ())]
    return {"sets": {"QUANT_DATASET_PATH": {"samples": others, "warnings": said}, "DEBUG_PATH": {"samples": known, "warnings": []}}}


class Worker:
    def __init__(self, options: argparse.Namespace) -> None:
        self.mode, self.pause, self.options = options.mode, options.pause, options
        self.cancelled = threading.Event()
        self.lock = threading.Lock()
        self.run_thread: threading.Thread | None = None
        self.runs = 0
        self.hunt: Hunt | None = None

    def say(self, **message: Any) -> None:
        with self.lock:
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()

    def hello(self) -> None:
        self.say(
            event="hello", protocol=1, engine="0.1.0", pid=os.getpid(), project="/home/me/resnet18", variant="t40",
            variants=["t40", "t41"], model="/home/me/resnet18/resnet18.onnx", soc="T40",
        )  # fmt: skip

    def serve(self) -> None:
        for line in sys.stdin:
            request = json.loads(line)
            do, id_ = request["do"], request["id"]
            if do == "run":
                self.cancelled.clear()
                self.runs += 1
                self.run_thread = threading.Thread(target=self.run, args=(id_,), daemon=True)
                self.run_thread.start()
            elif do == "cancel" and self.mode != "deaf":
                self.cancelled.set()
                self.say(id=id_, event="result", value={})
            else:
                self.other(do, id_, request)

    def other(self, do: str, id_: int, request: dict[str, Any]) -> None:
        match do:
            case "runs":
                self.runs_asked(id_, request)
            case "read" | "write" | "variant":
                self.file_asked(id_, request)
            case "live":
                self.live(id_, request["plan"]["nodes"])
            case "layer":
                self.layer(id_, request["name"], request["bins"])
            case "bisect":
                known = names(self.mode, self.options.layers)
                self.hunt = self.hunt or Hunt(known)
                self.hunt.asked(id_, request, self.say)
            case "diagnose":
                self.diagnose(id_)
            case "tune":
                known = names(self.mode, self.options.layers)
                point = {"cost": 1.0573, "cosine_avg": 0.99917, "sqnr_db": 27.8, "counts": {"8": 23, "12": 2}}
                goal = {"metric": request.get("metric", "cosine_avg"), "at": request.get("at", ""), "target": request.get("target")}
                self.say(id=id_, event="result", value={
                    **goal, "met": True, "runs": 9, "chosen": point, "widths": {n: 12 if i < 2 else 8 for i, n in enumerate(known)},
                    "front": [{"cost": 1.0, "cosine_avg": 0.98, "sqnr_db": 13.8, "counts": {"8": 25}}, point]})  # fmt: skip
            case "ping" | "units" | "sensitivity" | "apply" | "undo" | "data" | "thumbnail":
                self.say(id=id_, event="result", value=self.simple(do))

    def simple(self, do: str) -> dict[str, Any]:
        if do == "units":
            known = enumerate(names(self.mode, self.options.layers))
            units = [{
                "name": n, "op": "Conv2D", "nodes": [n], "macs": 100 + i, "work": 100 + i, "feature_bits": 8,
                "weight_bits": 8 if i % 2 else None, "skipped": "skipped by QUANT_NODE_SKIP" if i == 24 else "",
            } for i, n in known]  # fmt: skip
            return {"units": units, "widths": {"4": 0.5, "8": 1.0, "10": 2.0, "12": 2.0}, "weights": [4, 8]}
        if do == "sensitivity":
            known = enumerate(names(self.mode, self.options.layers))
            units = [{"name": n, "alone": [{"bits": 8, "cosine_avg": 0.999 - i / 1000}], "gain": 0.001} for i, n in known]
            return {"units": units, "runs": 7, "interrupted": False}
        if do == "apply":
            before = [{"file": "bits", "text": None, "version": "1"}, {"file": "config", "text": "{}", "version": "2"}]
            return {"written": ["magik_node_quant_bit_info.json", "cfg/magik_t40.cfg"], "before": before}
        if do == "undo":
            return {"written": ["magik_node_quant_bit_info.json", "cfg/magik_t40.cfg"]}
        if do == "data":
            return samples_of(self.mode, self.options.samples)
        if do == "thumbnail":
            pixels = bytes(v for i in range(24 * 18) for v in (i % 256, (7 * i) % 256, 90))
            return {"width": 24, "height": 18, "rgb": base64.b64encode(pixels).decode()}
        return {}

    def live(self, id_: int, plan: dict[str, Any]) -> None:
        layers = [row(name, i, self.options.layers) for i, name in enumerate(names(self.mode, self.options.layers))]
        for layer in layers:
            choice = plan.get(layer["name"], {})
            layer["feature_bits"] = choice.get("feature_bits", layer["feature_bits"])
            layer["quantized"] = layer["quantized"] and not choice.get("skip")
        document = self.document(layers, [f"cat_{i:03d}.jpg" for i in range(self.options.samples)])
        document["outputs"][0]["cosine_avg"] = 0.9911 + 0.001 * len(plan)
        self.say(id=id_, event="result", value={**document, "recomputed": list(plan), "timing": {"live": 0.05}})

    def layer(self, id_: int, name: str, bins: int) -> None:
        known = names(self.mode, self.options.layers)
        if name not in known:
            self.say(id=id_, event="error", kind="UsageError", message=f"there is no layer {name!r}", exit_code=2)
            return
        at, count = known.index(name), self.options.samples
        floats = [round(1e4 * math.exp(-((8 * i / bins - 3) ** 2))) for i in range(bins)]
        levels = [2 * n * (i % 2) for i, n in enumerate(floats)]
        figures = [{"sample": f"cat_{s:03d}.jpg", "cosine": cosine(at, s, len(known)), "sqnr_db": 18.4} for s in range(count)]
        if self.mode == "hostile":
            figures = [{**each, "sample": HOSTILE[i % len(HOSTILE)]} for i, each in enumerate(figures)]
        self.say(id=id_, event="result", value={
            "name": name, "shape": [1, 64, 56, 56], "origin": "own", "notes": list(HOSTILE[:2]) if self.mode == "hostile" else [],
            "clip": [-1.0, 1.75], "histogram": {"low": -1.5, "high": 2.0, "float": floats, "quantized": levels},
            "weights": {"channels": 64, "min": [-0.01 * c for c in range(64)], "max": [0.02 * c for c in range(64)]},
            "inputs": known[at - 1 : at] if at else ["data"], "readers": known[at + 1 : at + 3],
            "samples": sorted(figures, key=lambda each: each["cosine"] or 2.0)})  # fmt: skip

    def diagnose(self, id_: int) -> None:
        known = names(self.mode, self.options.layers)
        for text in ("trying: features of 12 bits", "  0.97840 -> 0.99880 (+0.02040)", f"trying: {known[0]}"):
            self.say(id=id_, event="log", text=text, level="info", source="Diagnose")
            self.say(id=id_, event="progress", stage="Diagnose", done=1, total=4)
        odd = HOSTILE if self.mode == "hostile" else ("cat_001.jpg",)
        as_it_is = {"cosine_avg": 0.9784, "cosine_min": 0.9}
        healed = {"cosine_avg": 0.9988, "cosine_min": 0.99}
        fix = {
            "gain": 0.0204, "noise_left": 0.19, "better": 11, "samples": 12, "before": as_it_is, "after": healed, "heals": True,
            "cost": {"features": 1.23, "weights": 1.0, "floats": 0.0}}  # fmt: skip
        fixes = [
            {**fix, "rank": 1, "title": f"12 bits for {known[2]}", "bit_file": {n: {"QUANT_FEATURE_BIT": 12} for n in (known[2], known[3])},
             "config": {"LOAD_OP_QUANT_BIT": True}},
            {**fix, "rank": 2, "title": "features of 12 bits", "config": {"QUANT_FEATURE_BIT": 12, "LOAD_OP_QUANT_BIT": None}},
            {**fix, "rank": 3, "title": "calibrate without 1 pictures", "without": list(odd), "do": "take them out", "heals": False,
             "caution": "fewer samples gain by chance"},
        ]  # fmt: skip
        health = {"topic": "health", "level": "bad", "claim": f"outputs 0.97840; the worst is {known[12]}", "numbers": {"worst": known[12]}}
        sides = {"topic": "sides", "level": "bad", "claim": "the activations make most of the noise, " * 9, "numbers": {"times": 44.8}}
        whom = {"topic": "operators", "level": "bad", "claim": "2 of 25 operators in float", "numbers": {"worst": known[2]}}
        self.say(id=id_, event="result", value={
            "schema": 1, "model": "m.onnx", "soc": "T40", "verdict": "unhealthy", "cause": "operators", "hint": False,
            "headline": {"topic": "headline", "level": "bad", "numbers": {},
                         "claim": f"unhealthy: the activations lose the accuracy. 12 bits for {known[2]} heals it"},
            "findings": [health, {**health, "topic": "first_layer", "level": "fine", "claim": f"the first is {known[0]}"}, sides, whom],
            "fixes": fixes, "recipes": [["in magik.cfg:", '    "LOAD_OP_QUANT_BIT": true', known[2]], ["in magik.cfg:"], list(odd)],
            "operators": {"target": 0.99, "healed": 0.9912, "minimal": True, "evaluations": 9, "culprits": [
                {"name": n, "op": "Conv2D", "local_error": 0.02, "again": 0.98} for n in known[2:4]]},
            "calibration_pictures": [{"sample": n, "fault": "mostly black"} for n in (odd if self.mode == "hostile" else ("b.png",))],
            "debug_samples": [{"sample": n, "cosine": 0.93, "poor": True, "fault": ""} for n in odd],
            "untried": [{"what": "WEIGHT_CORRECT_PATH", "why": "weights make 2.2% of the noise"}], "warnings": [],
            "markdown": "# Diagnosis of resnet18\n"})  # fmt: skip

    def file_asked(self, id_: int, request: dict[str, Any]) -> None:
        if not hasattr(self, "text"):
            hostile = "".join(json.dumps(n)[1:-1] for n in HOSTILE) if self.mode == "hostile" else "data"
            self.bits = json.dumps({n: {"QUANT_FEATURE_BIT": 12, "MAX": 1.5} for n in names(self.mode, 3)} | {"gone": {}})
            self.text, self.version = f'{{\n    "SOC": "T40",\n    "INPUT": ["{hostile}"],\n    "MEAN": [127]\n}}\n', 1
            self.path = "cfg/magik_t40.cfg"
        if request.get("file") == "bits" and request["do"] == "read":
            self.say(id=id_, event="result", value={"path": "magik_node_quant_bit_info.json", "text": self.bits, "version": "b"})
            return
        if request["do"] == "variant":
            self.path = f"cfg/magik_{request['name']}.cfg"
            self.say(id=id_, event="result", value={"variant": request["name"], "soc": request["name"].upper(), "model": "m.onnx"})
            return
        if request["do"] == "write":
            if request["version"] != str(self.version):
                self.say(id=id_, event="error", kind="Conflict", message="was changed by somebody else meanwhile", exit_code=1)
                return
            self.text, self.version = request["text"], self.version + 1
            if "conflict" in self.text:  # somebody else writes at once
                self.version += 1
                self.say(id=id_, event="result", value={"path": self.path, "version": str(self.version - 1)})
                return
        self.say(id=id_, event="result", value={"path": self.path, "text": self.text, "version": str(self.version)})

    def runs_asked(self, id_: int, request: dict[str, Any]) -> None:
        if not hasattr(self, "past"):
            notes = HOSTILE if self.mode == "hostile" else ("", "before the fix")
            self.past: list[dict[str, Any]] = [
                {"id": f"2026080{9 - i % 9}-10150{i}-abcdef", "time": 1.78e9 - 3600 * i, "kind": ("live", "run")[i % 2], "variant": "t40",
                 "settings": ["QUANT_FEATURE_BIT=10"][: i % 2], "plan": {"nodes": {note: {"feature_bits": 12}}}, "note": note,
                 "outputs": [{"name": "out", "cosine_avg": 0.99 - 0.01 * i, "cosine_min": 0.9}], "layers": 25, "bad": i,
                 "worst": {"name": note, "cosine_avg": 0.9}} for i, note in enumerate(notes)]  # fmt: skip
        chosen = next((r for r in self.past if r["id"] == request.get("run")), None)
        match request["act"]:
            case "list":
                value: dict[str, Any] = {"runs": self.past}
            case "read":
                layers = [row(name, i, self.options.layers) for i, name in enumerate(names(self.mode, self.options.layers))]
                nodes = self.document(layers, [f"cat_{i:03d}.jpg" for i in range(self.options.samples)])["nodes"]
                for node in nodes[:3]:
                    node["cosine_avg"] -= 0.1
                for node in nodes[12:14]:  # what fell since
                    node["cosine_min"] += 0.03
                    for score in node["samples"]:
                        score["cosine"] += 0.03
                nodes[5]["name"] += " as it was called"
                config = '{\n    "SOC": "T40",\n    "QUANT_FEATURE_BIT": 10\n}\n'
                value = {**(chosen or {}), "config": config, "document": {"nodes": nodes}}
            case "note":
                (chosen or {})["note"] = request["note"]
                value = chosen or {}
            case "forget":
                self.past = [r for r in self.past if r is not chosen]
                value = {}
            case "outlook":
                files = [{"file": "config", "path": "cfg/magik_t40.cfg", "lost": 1, "gained": 2}, {"file": "bits", "removed": True}]
                self.seen = {"config": f"v{len(self.past)}", "bits": ""}
                value = {**(chosen or {}), "versions": self.seen, "files": files, "known": False}
            case _:
                if request["versions"] != getattr(self, "seen", None):
                    self.say(id=id_, event="error", kind="Conflict", message="was changed by somebody else meanwhile", exit_code=1)
                    return
                self.seen = {"config": f"{self.seen['config']}+", "bits": "b"}
                before = self.past[-1]["id"]
                value = {**(chosen or {}), "written": ["cfg/magik_t40.cfg"], "before": before, "versions": self.seen}
        self.say(id=id_, event="result", value=value)

    def wait(self, seconds: float) -> bool:
        return self.cancelled.wait(seconds) if seconds else self.cancelled.is_set()

    def run(self, id_: int) -> None:
        if self.mode == "fails" and self.runs > 1:
            self.say(id=id_, event="error", kind="ConfigError", exit_code=2,
                     message="cfg/magik_t40.cfg:7:12: expected a number, found [bold]'eight'[/bold]")  # fmt: skip
            return
        layers = [row(name, i, self.options.layers) for i, name in enumerate(names(self.mode, self.options.layers))]
        samples = [f"cat_{i:03d}.jpg" for i in range(self.options.samples)]
        if self.mode == "garbage":
            sys.stdout.write('terminate called after [throwing] \x1b[2J\n{"event": "sample"}\n\n[1,2]\n\xff\n')
            self.say(id=id_, event="log", level="warning", text="picture [b]3[/b] is corrupt: skipped", source="dataset")
        for done in range(4):
            self.say(id=id_, event="progress", stage="CollectFeatureDistribution", done=done, total=4)
            if self.wait(self.pause):
                self.say(id=id_, event="error", kind="Cancelled", message="interrupted", exit_code=130)
                return
        self.say(id=id_, event="layers", rows=layers, samples=samples)
        for s, sample in enumerate(samples):
            if self.mode == "dies" and s == 2:
                sys.stderr.write("Segmentation fault in [kernel]\n")
                sys.stderr.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            if self.wait(self.pause):
                self.say(id=id_, event="error", kind="Cancelled", message="interrupted", exit_code=130)
                return
            scores = {r["name"]: {"cosine": cosine(i, s, len(layers)), **figures(i, s, len(layers))} for i, r in enumerate(layers)}
            self.say(id=id_, event="sample", sample=sample, index=s, metrics=scores)
            self.say(id=id_, event="progress", stage="Compute distance", done=s + 1, total=len(samples))
        self.say(id=id_, event="result", value=self.document(layers, samples))

    def document(self, layers: list[dict[str, Any]], samples: list[str]) -> dict[str, Any]:
        nodes = [measured(base, i, len(layers), samples) for i, base in enumerate(layers)]
        return {
            "schema": 1, "model": "/home/me/resnet18/resnet18.onnx", "soc": "T40", "nodes": nodes,
            "outputs": [{"name": layers[-1]["name"], "cosine_avg": 0.9911, "cosine_min": 0.9871}],
            "timing": {"calibrate": 1.5}, "peak_rss_mb": 412.0, "artefacts": ["out/resnet18.bin"],
            "warnings": ["x" * (8 << 20)] if self.mode == "long" else [],
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode")
    parser.add_argument("--layers", type=int, default=25)
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--pid-file")
    options = parser.parse_args()
    if options.pid_file:
        with Path(options.pid_file).open("a") as file:
            file.write(f"{os.getpid()}\n")
    if options.mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.mode == "silent":
        time.sleep(3600)
    worker = Worker(options)
    worker.hello()
    worker.serve()


if __name__ == "__main__":
    main()
