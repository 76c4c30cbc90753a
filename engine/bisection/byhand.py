"""What a person does to a bisection in place of the judge: take steps back, say what is known of operators, mark the step at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..analysis.bisect import Answer, Mark, Prior, Problem, Question, Session
from ..errors import UsageError, nearest
from ..jsontext import printable, shown

NOTE = "marked by hand"


@dataclass(frozen=True, slots=True)
class ByHand:
    """`undo` steps are taken back, then operators (nodes or types by name) are held to be `good`, `suspect` or `untested`, then the step at
    hand gets its `mark`."""

    undo: int = 0
    good: tuple[str, ...] = ()
    suspect: tuple[str, ...] = ()
    untested: tuple[str, ...] = ()
    mark: Mark | None = None

    def __bool__(self) -> bool:
        return self != NOTHING

    def prepared(self, session: Session) -> Session:
        """Return the session with steps taken back and priors set; UsageError for names there are none of, or too many steps."""
        if self.undo and self.undo > (count := len(session.asked())):
            only = f"only {count} step{'s' if count > 1 else ''} can be taken back"
            raise UsageError(only if count else "there is no step to take back", where="--undo")
        session = session.undone(self.undo)
        _refuse_two(self.good, self.suspect, self.untested)
        asked: tuple[tuple[Prior, tuple[str, ...]], ...] = (("untested", self.untested), ("good", self.good), ("suspect", self.suspect))
        for prior, given in asked:
            types, nodes = parted(given, session.problem, f"--{prior}")
            session = replace(session, priors=session.priors.marked(prior, session.problem, types=types, nodes=nodes))
        return session

    def answered(self, session: Session) -> tuple[Question, Answer] | None:
        """Return the step at hand with the mark that a person gave it, None where none is given; UsageError at the end of a search."""
        if self.mark is None:
            return None
        position = session.position()
        if not isinstance(position, Question):
            raise UsageError("the bisection is finished: there is no step to mark", where="--mark", hint="--undo 1 takes the last one back")
        return position, Answer(self.mark, None, NOTE)


NOTHING = ByHand()


def _refuse_two(good: Iterable[str], suspect: Iterable[str], untested: Iterable[str]) -> None:
    """Raise UsageError for a name that two options hold to be different things."""
    seen: dict[str, str] = {}
    for option, names in (("--good", good), ("--suspect", suspect), ("--untested", untested)):
        for name in names:
            if seen.setdefault(name, option) != option:
                raise UsageError(f"{seen[name]} says another thing of {shown(name)}; name it with one of them", where=option)


def parted(names: Iterable[str], problem: Problem, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which of these names are operator types and which are nodes; UsageError for one that is neither. A node comes first."""
    types, nodes = [], []
    for name in names:
        if name in problem.operators:
            nodes.append(name)
        elif name in problem.kinds:
            types.append(name)
        else:
            near = nearest(name, (*problem.operators, *problem.kinds))
            hint = f"did you mean {shown(near)}?" if near else f"the types are {', '.join(map(printable, problem.kinds))}"
            raise UsageError(f"there is no quantized layer and no operator type {shown(name, 200)}", where=where, hint=hint)
    return tuple(types), tuple(nodes)
