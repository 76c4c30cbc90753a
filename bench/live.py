"""One layer raised from 8 to 12 bits on an open project, until every metric is up to date, against a cold run of the same project.

ResNet-18 with 12 debug pictures, every unit once. Promises: the median over all units is at most 1/15 of a cold `magik-tui run`, and
below one float pass over the debug pictures plus 50 %; the outputs do as in a whole run.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from engine.discover import find_project, job_for
from engine.events import silent
from engine.lab import Lab, open_lab
from engine.plan import Choice
from engine.stages.fan import in_order

from . import _cases

ROUNDS = 3


def float_pass(lab: Lab) -> float:
    """Return the seconds of one pass of the float network over the debug pictures, on all processors."""
    program, values = lab.core.opened.networks.floats(), lab.core.values

    def run(index: int) -> None:
        feeds = values.feeds(index)
        runner = program.borrow()
        runner.run(feeds)
        program.give_back(runner)

    with ThreadPoolExecutor(_cases.cores()) as executor:
        start = time.perf_counter()
        list(in_order(run, range(len(lab.samples)), executor))
        return time.perf_counter() - start


def raised(lab: Lab, unit: str) -> float:
    """Return the seconds until the document of a plan is there in which one unit has 12 bits."""
    start = time.perf_counter()
    lab.evaluate(lab.base.with_node(unit, Choice(feature_bits=12)))
    return time.perf_counter() - start


def main() -> int:
    """Measure and return 1 when a promise is broken."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        case = _cases.cases(work, ("resnet18",))[0]
        root, apart = _cases.project(case, work), _cases.project(case, work / "apart")
        colds, live, floats = [], [], []
        with open_lab(job_for(find_project(apart)), report=silent) as lab:
            base = lab.evaluate(lab.base)
            for turn in range(ROUNDS):
                _cases.fresh(root)
                cold = _cases.weigh(_cases.run_command(root))
                colds.append(cold.seconds)
                floats.append(float_pass(lab))
                live += [raised(lab, unit.name) for unit in lab.units[turn::ROUNDS]]
        same = json.loads(cold.output)["outputs"] == base["outputs"]
    median, cold_time, one = statistics.median(live), min(colds), statistics.median(floats)
    print(f"cold {cold_time:.2f} s, float pass {one:.3f} s, {len(live)} units at 12 bits: median {median:.3f} s, at most {max(live):.3f} s")
    held = _cases.verdict("median / cold run", median / cold_time, 1 / 15)
    held &= _cases.verdict("median / float pass", median / one, 1.5)
    print(f"the open project says what a run says: {'ok' if same else 'BROKEN'}")
    return 0 if held and same else 1


if __name__ == "__main__":
    sys.exit(main())
