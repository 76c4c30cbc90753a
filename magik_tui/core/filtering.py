"""What is typed after `/`: terms parted by blanks, all of which must hold. Pure; any table with named columns can use it.

What a term says:

    relu              part of one of the row's words (its name or its type), whatever the case; `!relu` is the opposite
    "a <b"            the same with blanks or signs in it
    cos<0.98 bits>8   a number: < <= > >= = !=, a percent sign divides by 100; a row without that number never fits
    type=conv         part of one word alone; != is the opposite
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.errors import nearest

Value = float | str | None
Find = Callable[[str], Value]

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_TERM = re.compile(r'!?"[^"]*"?|\S+')
_COMPARISON = re.compile(r"([^\W\d]\w*)(<=|>=|==|!=|<|>|=)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Columns:
    """What can be asked for: the names of the columns with numbers, and of those with words."""

    numbers: Sequence[str]
    words: Sequence[str] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names."""
        return (*self.numbers, *self.words)


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. Without a `column` it is about all words of a row; `number` is None where `text` is looked for."""

    text: str
    column: str = ""
    sign: str = "="
    number: float | None = None

    def holds(self, words: Sequence[str], find: Find) -> bool:
        """Tell whether a row with these casefolded `words` fits."""
        if not self.column:
            return any(self.text in word for word in words) == (self.sign != "!=")
        value = find(self.column)
        if self.number is not None:
            return isinstance(value, int | float) and _COMPARE[self.sign](value, self.number)
        return (self.text in str(value or "").casefold()) == (self.sign != "!=")


@dataclass(frozen=True, slots=True)
class Filter:
    """What was typed, the terms of it that make sense, and with `trouble` what was expected of the first that does not, in words."""

    text: str = ""
    terms: tuple[Term, ...] = ()
    trouble: str = ""

    def fits(self, words: Sequence[str], find: Find) -> bool:
        """Tell whether a row fits: `words` are its casefolded name and type, `find` returns the value of a column."""
        return all(term.holds(words, find) for term in self.terms)


def parse(text: str, columns: Columns) -> Filter:
    """Return the filter that `text` says; names of columns and words are taken in any case."""
    found = [_term(match[0], columns) for match in _TERM.finditer(text)]
    terms = (term for term in found if isinstance(term, Term) and (term.text or term.column))
    return Filter(text, tuple(terms), next((term for term in found if isinstance(term, str)), ""))


def begun(found: Filter, columns: Columns) -> Filter | None:
    """Return a filter without its last word where that may become the name of a column ("co"), None where it may not.

    While one types on, rows need not vanish because nothing is called so.
    """
    last = found.terms[-1] if found.terms and not found.trouble else None
    if last is None or last.column or last.sign != "=" or not found.text.casefold().endswith(last.text):
        return None
    return replace(found, terms=found.terms[:-1]) if any(name.startswith(last.text) for name in columns.names) else None


def _term(said: str, columns: Columns) -> Term | str:
    """Return one term, or what is wrong with it."""
    found = _COMPARISON.fullmatch(said) if said[:1] not in ('"', "!") else None
    if found is None:
        sign, word = ("!=", said[1:]) if said.startswith("!") else ("=", said)
        return Term(word.strip('"').casefold(), sign=sign)
    name, sign, value = found[1].casefold(), found[2], found[3]
    if name not in columns.names:
        near = nearest(name, columns.names)
        return f"there is no column {name}" + (f"; did you mean {near}?" if near else f": one of {', '.join(columns.names)}")
    if name in columns.words:
        if sign not in ("=", "==", "!="):
            return f"{name} is a word: {name}=PART or {name}!=PART"
        return Term(value.strip('"').casefold(), name, "!=" if sign == "!=" else "=")
    number = _number(value)
    if number is None:
        return f"{name}{sign} needs a number, as in {name}{sign}{'8' if 'bits' in name else '0.98'}" + (f", not {value}" if value else "")
    return Term(value, name, sign, number)


def _number(text: str) -> float | None:
    """Return a finite number; one with a percent sign is a hundredth."""
    share = text.endswith("%")
    try:
        number = float(text.removesuffix("%")) if "_" not in text else math.nan
    except ValueError:
        return None
    return (number / 100 if share else number) if math.isfinite(number) else None
