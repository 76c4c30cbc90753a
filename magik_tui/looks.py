"""What is data: themes, keymaps and layouts, from `layouts/` and from the user's config folder, which comes first."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from engine.errors import ConfigError, MagikError, UsageError, nearest

LEVELS = 8
FOLDERS = {"theme": "themes", "keymap": "keymaps", "layout": "presets"}
USER_FOLDERS = {"theme": "themes", "keymap": "keymaps", "layout": "layouts"}
KEYMAP = "keymap.json"  # in the config folder: on top of whichever keymap is chosen
SETTINGS = "settings.json"
T = TypeVar("T")


Colour = Annotated[int, msgspec.Meta(ge=0, le=255)]
Eight = Annotated[tuple[Colour, ...], msgspec.Meta(min_length=LEVELS, max_length=LEVELS)]
Three = Annotated[tuple[Colour, ...], msgspec.Meta(min_length=3, max_length=3)]


class Levels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The colours of the eight levels of loss, as numbers of the 256-colour palette: papers, and inks for digits and glyphs.

    Those of differences go from a little to much: blue for better, red for worse.
    """

    paper: Eight
    digits: Eight
    glyphs: Eight
    better: Three = (24, 25, 32)
    worse: Three = (95, 131, 167)
    better_ink: Three = (255, 255, 232)
    worse_ink: Three = (255, 232, 232)


class ThemeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A theme: `colours` by the names of textual, `inks` by those of the style sheet; `ansi` uses the terminal's own colours, and
    without `colour` there are none at all."""

    colours: dict[str, str]
    levels: Levels
    title: str = ""
    dark: bool = True
    ansi: bool = False
    colour: bool = True
    inks: dict[str, str] = {}


class KeymapFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A keymap: the id of a binding -> its keys, parted by commas; those it does not name stay as they are."""

    keys: dict[str, str]
    title: str = ""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The user's wishes for every project, in settings.json of the config folder; options of the command line win over them."""

    theme: str = ""
    keymap: str = ""
    layout: str = ""
    mouse: bool = True
    low_bandwidth: bool = False


def names(kind: str, config: Path) -> tuple[str, ...]:
    """Return the names of the themes, keymaps or layouts there are."""
    return tuple(sorted({*(_ours(kind)), *(path.stem for path in (config / USER_FOLDERS[kind]).glob("*.json"))}))


def _ours(kind: str) -> set[str]:
    files = resources.files("layouts").joinpath(FOLDERS[kind]).iterdir()
    return {file.name.removesuffix(".json") for file in files if file.name.endswith(".json")}


def load(kind: str, name: str, form: type[T], config: Path) -> T:
    """Return a theme, keymap or layout by its name, or from a file: a name that ends in .json is a path.

    UsageError for a name that is none (with the nearest), ConfigError for a file that does not have its form.
    """
    user = Path(name).expanduser() if name.endswith(".json") else config / USER_FOLDERS[kind] / f"{name}.json"
    if "/" not in name or name.endswith(".json"):
        try:
            return parse(user.read_bytes(), form, str(user))
        except FileNotFoundError:
            pass
        except OSError as problem:
            raise UsageError(f"cannot be read: {problem.strerror}", where=str(user)) from problem
    if name in _ours(kind):
        return parse(resources.files("layouts").joinpath(FOLDERS[kind], f"{name}.json").read_bytes(), form, name)
    known = names(kind, config)
    near = nearest(name, known)
    raise UsageError(f"no such {kind}: {name}", hint=f"did you mean {near}?" if near else f"there are {', '.join(known)}")


def parse(data: bytes, form: type[T], where: str) -> T:
    """Return the JSON in `data` as `form`; ConfigError says what does not fit."""
    try:
        return msgspec.json.decode(data, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise ConfigError(str(problem), where=where) from problem


def settings(config: Path) -> Settings:
    """Return the user's settings; those of a folder without the file are the usual ones. ConfigError where it does not fit."""
    path = config / SETTINGS
    try:
        return parse(path.read_bytes(), Settings, str(path))
    except FileNotFoundError:
        return Settings()
    except OSError as problem:
        raise ConfigError(f"cannot be read: {problem.strerror}", where=str(path)) from problem


def keys(name: str, config: Path) -> dict[str, str]:
    """Return a keymap with the user's own keys on top; errors as from `load`."""
    chosen = load("keymap", name, KeymapFile, config).keys if name else {}
    own = config / KEYMAP
    try:
        return {**chosen, **parse(own.read_bytes(), dict[str, str], str(own))}
    except FileNotFoundError:
        return chosen
    except OSError as problem:
        raise ConfigError(f"cannot be read: {problem.strerror}", where=str(own)) from problem


def complaints(keymap: Mapping[str, str], bindings: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return what is wrong with a keymap: ids that no binding has, and keys that it gives to two bindings of one owner.

    `bindings` are id -> keys, by owner; keys are parted by commas.
    """
    known = {id_ for owned in bindings.values() for id_ in owned}
    told = []
    for id_ in keymap:
        if id_ not in known:
            near = nearest(id_, known)
            told.append(f"the keymap names {id_}, which no key does" + (f"; did you mean {near}?" if near else ""))
    for owned in bindings.values():
        taken: dict[str, str] = {}
        for id_ in sorted(owned, key=lambda id_: id_ not in keymap):
            for key in {key.strip() for key in keymap.get(id_, owned[id_]).split(",")}:
                first = taken.setdefault(key, id_)
                if first != id_ and (first in keymap or id_ in keymap):
                    told.append(f"the keymap takes {key} from {id_} for {first}")
    return tuple(dict.fromkeys(told))


def quietly(value: T, action: Any, *arguments: Any) -> tuple[T, str]:
    """Return what `action(*arguments)` returns and "", or `value` and what went wrong: a broken file of wishes stops nobody."""
    try:
        return action(*arguments), ""
    except MagikError as problem:
        return value, str(problem)
