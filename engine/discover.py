"""A project as the vendor's users have it: a folder, found from its run_*.sh, or from its configurations and its one model.

No file of ours is needed in it, and nothing in it is executed. Several chips are variants: run_t40.sh or cfg/magik_t40.cfg is "t40".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UsageError, nearest
from engine.invocation import Invocation, parse_invocation
from engine.jsontext import shown
from engine.shellscript import mentions_tool, tool_commands

if TYPE_CHECKING:
    from engine.project import Job

MAX_SCRIPT = 1 << 20
EXPECTED = "a run_*.sh that calls magik-transform-tools, or cfg/*.cfg or ./magik.cfg and one *.onnx"


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """Where everything of one variant is.

    `root` is the folder the vendor's user runs the tool in: relative paths of the configuration start there. `model`, `config` and
    `output` (OUT/NAME.mk.h, None when no script says) begin with it, unless they were written as absolute paths.
    """

    root: Path
    name: str
    variant: str
    variants: tuple[str, ...]
    model: Path
    config: Path
    output: Path | None
    save_quantize_model: bool


@dataclass(frozen=True, slots=True)
class _Source:
    """A script or a configuration that stands for one variant."""

    variant: str
    file: Path


def find_project(path: str | Path, variant: str | None = None) -> ProjectFiles:
    """Return the files of the project at `path`: its folder, or a run_*.sh, a .cfg or an .onnx in it, which narrows the choice.

    Without `variant` it is the first in sorted order. UsageError says what was looked for and what comes near it.
    """
    path = Path(path)
    root, named = _root_of(path)
    sources = _sources(root, named)
    if not sources:
        raise _nothing_found(root)
    source = _chosen(sources, variant, path)
    if source.file.suffix == ".sh":
        files = _from_script(root, source)
    else:
        files = _from_config(root, source, named if named is not None and named.suffix == ".onnx" else None)
    return replace(files, variants=tuple(each.variant for each in sources))


def job_for(files: ProjectFiles, overrides: Sequence[str] = ()) -> Job:
    """Return the conversion these files ask for, with `overrides` (KEY=VALUE) on top of the configuration."""
    from engine.project import Job

    return Job(
        model=files.model,
        config_path=files.config,
        root=files.root,
        output=files.output,
        save_quantize_model=files.save_quantize_model,
        overrides=tuple(overrides),
        name=files.name,
        variant=files.variant,
    )


def _root_of(path: Path) -> tuple[Path, Path | None]:
    """Return the project's folder and, where `path` is a file in it, that file."""
    if _test(path, Path.is_dir):
        return path, None
    if not _test(path, Path.exists):
        raise UsageError("no such project", where=str(path), hint=_near(path.name, _names(path.parent, "*")))
    if path.suffix not in (".sh", ".cfg", ".onnx"):
        raise UsageError("expected a project: a folder, or a run_*.sh, a .cfg or an .onnx in it", where=str(path))
    folder = path.parent
    if path.suffix == ".cfg" and folder.absolute().name == "cfg":
        return (folder.parent if folder.name else folder / ".."), path
    return folder, path


def _sources(root: Path, named: Path | None) -> tuple[_Source, ...]:
    """Return what stands for the variants, sorted by name: scripts before configurations, only what agrees with the file `named`."""
    if named is not None and named.suffix == ".sh":
        return (_Source(_variant_of_script(named), named),)
    scripts = [_Source(_variant_of_script(file), file) for file in _files(root, "run_*.sh") if _calls_tool(file)]
    if named is not None:
        scripts = [each for each in scripts if _names_file(root, each.file, named)]
    if not scripts and named is not None and named.suffix == ".cfg":
        return (_Source(_variant_of_config(named), named),)
    return tuple(sorted(scripts or _configs(root), key=lambda each: each.variant))


def _configs(root: Path) -> list[_Source]:
    files = _files(root, "cfg/*.cfg") or _files(root, "*.cfg")
    short = {_variant_of_config(file) for file in files}
    return [_Source(_variant_of_config(file) if len(short) == len(files) else file.stem, file) for file in files]


def _variant_of_script(file: Path) -> str:
    return file.stem.removeprefix("run_")


def _variant_of_config(file: Path) -> str:
    return file.stem.removeprefix("magik_")


def _calls_tool(script: Path) -> bool:
    """Tell whether a script is one of ours to read; one that cannot be opened is not."""
    try:
        return mentions_tool(_text(script))
    except UsageError:
        return False


def _names_file(root: Path, script: Path, named: Path) -> bool:
    """Tell whether a script's command uses the file `named`; a script that cannot be read does not."""
    try:
        call, _ = _read_script(script)
    except UsageError:
        return False
    written = call.model if named.suffix == ".onnx" else call.config
    return _test(root / written, lambda path: path.samefile(named))


def _chosen(sources: Sequence[_Source], variant: str | None, path: Path) -> _Source:
    if variant is None:
        return sources[0]
    found = [each for each in sources if each.variant == variant] or [each for each in sources if each.variant.lower() == variant.lower()]
    if not found:
        there = ", ".join(each.variant for each in sources)
        raise UsageError(f"no variant {shown(variant)}, there is {there}", where=str(path))
    return found[0]


def _from_script(root: Path, source: _Source) -> ProjectFiles:
    call, line = _read_script(source.file)
    place = {"where": str(source.file), "line": line, "column": 1}
    model = _present(root, call.model, "model", "*.onnx", place)
    config = _present(root, call.config, "configuration", "*.cfg", place)
    return ProjectFiles(root, _name(root), source.variant, (), model, config, root / call.output, call.save_quantize_model)


def _from_config(root: Path, source: _Source, model: Path | None) -> ProjectFiles:
    if model is None:
        models = _files(root, "*.onnx")
        if len(models) != 1:
            found = f"{len(models)}: {', '.join(file.name for file in models[:5])}" if models else "none"
            hint = f"name one: {models[0]}" if models else "a run_*.sh may name a model elsewhere"
            raise UsageError(f"expected one *.onnx beside {shown(source.file.name)}, found {found}", where=str(root), hint=hint)
        model = models[0]
    return ProjectFiles(root, _name(root), source.variant, (), model, source.file, None, save_quantize_model=False)


def _read_script(script: Path) -> tuple[Invocation, int]:
    """Return what the one conversion of a script asks for, and its line."""
    where = str(script)
    calls = []
    for command in tool_commands(_text(script), where):
        try:
            call = parse_invocation(command.arguments)
        except UsageError as error:
            flag = f"{error.where}: " if error.where else ""
            raise UsageError(flag + error.message, where=where, line=command.line, column=1, hint=error.hint) from error
        if call.action == "convert":
            calls.append((call, command.line))
    if len(calls) != 1:
        found = f"{len(calls)} of them" if calls else "none"
        raise UsageError(f"expected one command magik-transform-tools, found {found}", where=where, hint="name the .cfg instead")
    return calls[0]


def _text(script: Path) -> str:
    try:
        with open(script, "rb") as file:
            return file.read(MAX_SCRIPT).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(script)) from error


def _present(root: Path, written: str, what: str, pattern: str, place: dict[str, object]) -> Path:
    """Return the path a script wrote, or raise UsageError naming what is there instead."""
    path = root / written
    if _test(path, Path.is_file):
        return path
    if _test(path, Path.exists):
        raise UsageError(f"the {what} {shown(written, 200)} is not a file", **place)  # type: ignore[arg-type]
    hint = _near(path.name, _names(path.parent, pattern)) or (f"expected {path}" if str(path) != written else "")
    raise UsageError(f"the {what} {shown(written, 200)} is not there", hint=hint, **place)  # type: ignore[arg-type]


def _nothing_found(root: Path) -> UsageError:
    inner = [each for each in _glob(root, "*") if _files(each, "run_*.sh") or _files(each, "cfg/*.cfg")]
    hint = f"there is one below: {inner[0]}" if inner else "magik-transform-tools -gcfg writes a ./magik.cfg to begin with"
    return UsageError(f"no project here: looked for {EXPECTED}", where=str(root), hint=hint)


def _near(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = nearest(name, known)
    if near and near != name:
        return f"did you mean {near}?"
    return f"there is {', '.join(known[:3])}" if 0 < len(known) <= 3 else ""


def _names(folder: Path, pattern: str) -> list[str]:
    return [file.name for file in _glob(folder, pattern)]


def _files(folder: Path, pattern: str) -> list[Path]:
    return [each for each in _glob(folder, pattern) if _test(each, Path.is_file)]


def _glob(folder: Path, pattern: str) -> list[Path]:
    """Return the visible entries that match, sorted by name; what may not be looked at has none."""
    try:
        return sorted(each for each in folder.glob(pattern) if not each.name.startswith("."))
    except (OSError, ValueError):
        return []


def _test(path: Path, question: Callable[[Path], bool]) -> bool:
    """Ask the file system about a path; one that cannot be asked about does not hold."""
    try:
        return question(path)
    except (OSError, ValueError):
        return False


def _name(root: Path) -> str:
    return root.resolve().name or "project"
