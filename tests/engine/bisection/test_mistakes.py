"""Everything that may be asked of a bisection and cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Bisect


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--target", "1.5"], 2, "cosine_avg of the outputs cannot reach 1.5: even with all 6 operators in float it is 1.00000 at best"),
        (["--target", "1e4", "--metric", "sqnr", "--at", "r1"], 2, 'sqnr of "r1" cannot reach 10000: even with all 2 operators'),
        (["--target", "nan"], 2, "--target: expected a number, got nan"),
        (["--target", "high"], 2, "Invalid value for '--target'"),
        (["--at", "scoers"], 2, "'scoers' is no layer of this network (did you mean 'scores'?)"),
        (["--metric", "cosine"], 2, 'there is no metric and no program "cosine"'),
        (["--metric", "true", "--target", "0.9"], 2, "--target: a program judges by itself"),
        (["--metric", "true", "--at", "r1"], 2, "--at: a program judges the network's outputs"),
        (["--metric", "false"], 2, "--metric: even with all 6 operators in float the command calls it bad"),
        (["--metric", "sh -c 'exit 125'"], 2, "even with all 6 operators in float the command cannot tell"),
        (["--metric", "sh -c 'kill -9 $$'"], 1, "the metric command was killed by SIGKILL"),
        (["--metric", "sleep 60", "--timeout", "0.2"], 1, "the metric command took more than 0.2 s"),
        (["--timeout", "0"], 2, "Invalid value for '--timeout'"),
        (["--replay", "nowhere.log"], 2, "nowhere.log: cannot be read: No such file or directory"),
        (["--set", "DEBUG_PATH="], 2, "DEBUG_PATH: there is nothing to compare on"),
        (["--set", "QUANT_DATASET_PATH="], 2, "nothing is quantized: there is nothing to bisect (QUANT_DATASET_PATH is not set)"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(arguments: list[str], code: int, message: str, bisect: Bisect, project: Path) -> None:
    before = (project / "magik.cfg").read_bytes()
    said = bisect(*arguments, "--apply", "--json")
    assert said.code == code
    assert said.out == ""
    assert "Traceback" not in said.errors
    assert message in said.errors.splitlines()[-1]
    assert (project / "magik.cfg").read_bytes() == before
    assert [path.name for path in project.glob(".magik/bisect/step-*")] == []
