"""The command a run_*.sh would run, read from its text: nothing is ever executed.

Scripts of this kind are a `cd` to their own folder, an assignment or two and one command over several lines. That much is understood;
where a script leaves it (arguments, loops, substitutions) the words that need a shell are refused, not guessed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import UsageError
from engine.invocation import TOOL
from engine.jsontext import shown

_COMMENT = re.compile(r"""("[^"]*"|'[^']*'|\\.)|(?:^|(?<=[\s;]))#.*""")
_SELF = r"""["']?\$(?:0|\{0\}|BASH_SOURCE|\{BASH_SOURCE(?:\[0\])?\})["']?"""
_OWN_FOLDER = (
    re.compile(rf"""\$\(\s*dirname\s+(?:--\s+)?{_SELF}\s*\)|`\s*dirname\s+(?:--\s+)?{_SELF}\s*`|\$\{{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}}"""),
    re.compile(r"""\$\(\s*(?:cd\s+(?:--\s+)?["']?\.["']?\s*(?:&&|;)\s*)?pwd(?:\s+-P)?\s*\)|`\s*pwd\s*`|\$PWD\b|\$\{PWD\}"""),
)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_IN_FRONT = frozenset({"exec", "time", "nohup", "command", "sudo", "env", "if", "then", "else", "do", "!"})
_CONFIG_FLAGS = frozenset({"-cfg", "--config"})
_OUTPUT_FLAGS = frozenset({"-o", "-outputpath", "--outputpath"})


@dataclass(frozen=True, slots=True)
class Command:
    """The arguments of one call of the tool, without the program's name, and the line it begins on (from 1)."""

    arguments: tuple[str, ...]
    line: int


def mentions_tool(text: str) -> bool:
    """Tell whether a script seems to call the tool, without understanding it."""
    code = "\n".join(line for _, line in _logical_lines(text))
    return TOOL in code or bool(re.search(r"(?<!\S)(?:-cfg|--config)\s", code) and re.search(r"(?<!\S)(?:-o|--?outputpath)\s", code))


def tool_commands(text: str, where: str) -> tuple[Command, ...]:
    """Return every call of the tool in the script `text`, in order.

    UsageError, with `where` and the line, for a call that cannot be known without running the script.
    """
    variables: dict[str, str] = {}
    elsewhere, found = "", []
    for number, line in _logical_lines(text):
        line = _expanded(line, variables)
        try:
            commands = [words for words in _commands(line) if words]
        except ValueError as error:  # an open quote: only a call of the tool has to be understood
            if TOOL not in line:
                continue
            raise UsageError(f"cannot be understood: {error}", where=where, line=number, column=1) from error
        for words in commands:
            _remember(words, variables)
            elsewhere = _changed_folder(words) or elsewhere
            arguments = _call(words)
            if arguments is not None:
                _check(arguments, elsewhere, where, number)
                found.append(Command(tuple(arguments), number))
    return tuple(found)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of its first line, line), comments gone and continued lines joined."""
    start, held = 0, ""
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        line = _COMMENT.sub(lambda match: match[1] or "", raw)
        start = start or number
        if (len(line) - len(line.rstrip("\\"))) % 2:
            held += line[:-1]
            continue
        yield start, held + line
        start, held = 0, ""
    if held:
        yield start, held


def _expanded(line: str, variables: dict[str, str]) -> str:
    for pattern in _OWN_FOLDER:
        line = pattern.sub(".", line)
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), line)


def _commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each simple command of a line; redirections are left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    target = False
    for token in lexer:
        if target:
            target = False
        elif token[:1] in ("<", ">") or token == "&>":
            target = True
            if words and words[-1] in ("1", "2"):
                words.pop()
        elif token and not token.strip(";&|()"):
            yield words
            words = []
        else:
            words.append(token)
    yield words


def _remember(words: list[str], variables: dict[str, str]) -> None:
    """Keep the values of a command that is nothing but assignments; a value only a shell knows is forgotten."""
    matches = [_ASSIGNMENT.fullmatch(word) for word in (words[1:] if words[0] in ("export", "readonly") else words)]
    if not all(matches):
        return
    for match in filter(None, matches):
        variables.pop(match[1], None)
        if not _needs_shell(match[2]):
            variables[match[1]] = match[2]


def _changed_folder(words: list[str]) -> str:
    """Return where a `cd` goes, "" when this is none or it stays in the script's folder."""
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    if words[:1] not in (["cd"], ["pushd"]):
        return ""
    target = next((word for word in words[1:] if word not in ("--", "-P", "-L")), "~")
    return "" if target.rstrip("/") == "." else target


def _call(words: list[str]) -> list[str] | None:
    """Return the arguments when these words call the tool, under its name or through a wrapper."""
    while words and (words[0] in _IN_FRONT or _ASSIGNMENT.fullmatch(words[0])):
        words = words[1:]
    if not words:
        return None
    if words[0].rpartition("/")[2] == TOOL:
        return words[1:]
    if _CONFIG_FLAGS & set(words) and _OUTPUT_FLAGS & set(words):  # $TOOL -i ..., python -m ... -i ...
        first = next(at for at, word in enumerate(words) if at and word.startswith("-") and word != "-m")
        return words[first:]
    return None


def _check(arguments: list[str], elsewhere: str, where: str, line: int) -> None:
    for word in arguments:
        if _needs_shell(word):
            message = f"{shown(word)} is only known when the script runs"
            raise UsageError(message, where=where, line=line, column=1, hint="write the value out, or name the .cfg instead of the script")
    if elsewhere:
        message = f"the script goes to {shown(elsewhere)} before it calls the tool, which is not followed"
        raise UsageError(message, where=where, line=line, column=1, hint="put the script where it runs, or name the .cfg")


def _needs_shell(word: str) -> bool:
    return "$" in word or "`" in word
