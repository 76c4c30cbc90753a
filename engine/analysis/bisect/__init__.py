"""Finding the smallest set of operators that has to stay in float, one judged set after another.

`search` decides which set to judge next and knows nothing of networks, `session` holds what was answered as a value, `log` is its text.
"""

from .log import Heading, read_heading, read_log, read_priors, write_log
from .priors import PRIORS, Prior, Priors
from .problem import Answer, Goal, Mark, Problem, Question, Step
from .search import Found, Unreachable, search
from .session import Session, states

__all__ = [
    "PRIORS",
    "Answer",
    "Found",
    "Goal",
    "Heading",
    "Mark",
    "Prior",
    "Priors",
    "Problem",
    "Question",
    "Session",
    "Step",
    "Unreachable",
    "read_heading",
    "read_log",
    "read_priors",
    "search",
    "states",
    "write_log",
]
