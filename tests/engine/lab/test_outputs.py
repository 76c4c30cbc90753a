"""What the network puts out, as a program that judges it finds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from engine.discover import find_project, job_for
from engine.errors import DataError
from engine.events import silent
from engine.lab import open_lab
from engine.lab.outputs import outputs
from tests.engine.frontends import families
from tests.engine.frontends.families import Family

from .test_lab import of_family


@pytest.mark.parametrize("family", [families.detector(13), families.states(14)], ids=["detector", "states"])
def test_outputs_are_those_of_the_model(family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The float side is what onnxruntime makes of the model, in its layout; the quantized side is near it, and scored as it is."""
    root = of_family(tmp_path / "project", family)
    monkeypatch.chdir(root)
    session = ort.InferenceSession(root / "net.onnx", providers=["CPUExecutionProvider"])
    with open_lab(job_for(find_project(root)), report=silent, jobs=1) as lab:
        made = list(outputs(lab, lab.base))
        rows = {row["name"]: row["cosine_min"] for row in lab.evaluate(lab.base)["outputs"]}
        score = lab.score(lab.base).cosine_min
    assert score is not None
    if None in rows.values():  # of an output without a cosine, what it is made of is judged
        assert score <= min(value for value in rows.values() if value is not None)
    else:
        assert score == min(rows.values())
    assert [each.sample for each in made] == ["0", "1"]
    names = [o.name for o in session.get_outputs()]
    worst: dict[str, float] = {}
    for each in made:
        shapes = {i.name: i.shape for i in session.get_inputs()}
        feeds = {n: np.fromfile(root / "debug" / each.sample / f"{n}.bin", "<f4").reshape(s) for n, s in shapes.items()}
        for name, expected in zip(names, session.run(names, feeds), strict=True):
            assert each.quantized[name].shape == expected.shape
            assert each.quantized[name].dtype == expected.dtype
            if expected.dtype != np.float32:
                assert name not in each.floats
                continue
            np.testing.assert_allclose(each.floats[name], expected, rtol=1e-3, atol=1e-4)
            x, y = expected.ravel().astype(float), each.quantized[name].ravel().astype(float)
            worst[name] = min(worst.get(name, 1.0), x @ y / np.sqrt((x @ x) * (y @ y)))
    assert worst
    assert {name: rows[name] for name in worst} == pytest.approx(worst, abs=1e-5)
    assert min(worst.values()) < 0.99999


def test_a_sample_that_cannot_be_read_is_left_out(project: Path) -> None:
    (project / "debug" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with open_lab(job_for(find_project(project)), report=silent, jobs=1) as lab:
        assert [each.sample for each in outputs(lab, lab.base)] == ["1.png"]
    (project / "debug" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken too")
    with open_lab(job_for(find_project(project)), report=silent, jobs=1) as lab, pytest.raises(DataError, match="none of the 2"):
        list(outputs(lab, lab.base))
