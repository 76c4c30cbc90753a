"""How another process comes by the same lab, and what it does with it: the far side of every fan-out.

A process opens a project once, from the store on the shared disk, and keeps it from plan to plan. It computes on one thread, so that the
figures are those of any other process, to the last bit.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

from ..analysis.scoring import Score
from ..errors import WorkError
from ..events import silent
from ..ir import digest
from ..plan import Plan
from ..sources import Job
from ..store import Store
from ..version import VERSION, backend
from .lab import Lab, open_lab
from .values import ROOM

KEPT = 2
"""Labs that a process keeps open: a search works on one, a comparison of configurations on two by turns."""

_labs: OrderedDict[Recipe, Lab] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a process needs to open the same lab: the files, with absolute paths, and the folder of the store.

    `identity` names what the files held and what computes; `share` is the part of a machine's memory that is one process's, 0 where there
    is one process for each processor.
    """

    job: Job
    store: Path | None
    identity: str
    share: float


def recipe_of(lab: Lab, share: float) -> Recipe:
    """Return the recipe of an opened lab; its plan is no part of it, since plans cross whole."""
    job = lab.job
    job = replace(job, model=job.model.absolute(), config_path=job.config_path.absolute(), root=job.root.absolute(), output=None)
    folder = lab.core.store.folder
    fakes = (lab.config.weight_fake_quant, lab.config.feature_fake_quant)
    identity = digest(VERSION, backend(), lab.core.opened.identity, fakes)
    return Recipe(job, folder.absolute() if folder else None, identity, share)


def score_of(recipe: Recipe, plan: Plan, at: str) -> Score:
    """Return the score of a plan in this process. WorkError where the project cannot be opened as it was; else as `Lab.score`."""
    with _lock:  # one plan at a time, whatever the number of threads somebody gave a worker
        return _lab(recipe).score(plan, at)


def _lab(recipe: Recipe) -> Lab:
    lab = _labs.get(recipe)
    if lab is None:
        lab = _opened(recipe)
        while len(_labs) >= KEPT:
            _labs.popitem(last=False)[1].close()
        _labs[recipe] = lab
    _labs.move_to_end(recipe)
    return lab


def _opened(recipe: Recipe) -> Lab:
    if not recipe.job.config_path.exists():
        hint = "every worker must see the project and its store under the same path"
        raise WorkError(f"there is no such file on {socket.gethostname()}", where=str(recipe.job.config_path), hint=hint)
    store = Store(recipe.store) if recipe.store else None
    lab = open_lab(recipe.job, report=silent, store=store, jobs=1, room=_room(recipe.share))
    if recipe_of(lab, recipe.share).identity != recipe.identity:
        lab.close()
        text = "the files of the project are no longer those the search began with, or other libraries or another CPU compute here"
        raise WorkError(text, where=socket.gethostname(), hint="search again, with workers that are alike")
    return lab


def _room(share: float) -> int:
    """Return the bytes of each of a lab's two rooms: a quarter of this process's share of the memory, and no more than a lab has."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(ROOM, int(memory * (share or 1 / (os.cpu_count() or 1))) // 4)
