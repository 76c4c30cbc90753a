"""What a calibration or debug folder holds: samples, found and named, not yet loaded.

A data set is a folder of pictures, one sample each, or a folder of sample folders with one .bin or picture per input.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import DataError
from engine.events import Log, Report, silent
from engine.reading import PICTURES, is_picture, read_bytes

MOST_INPUTS = 16  # pictures in a sample folder, one per input; more are a data set
_CLUTTER = frozenset({"thumbs.db", "desktop.ini"})  # what file managers leave behind


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: the name it is shown under, its files (one picture, or a file for each input, sorted by name), its content key.

    `key` is "" until the files have been read; `sample_key` and `dataset.iter_samples` give it.
    """

    name: str
    paths: tuple[Path, ...]
    key: str = ""

    @property
    def is_picture(self) -> bool:
        """Whether the sample is one picture, whatever the input is called."""
        return len(self.paths) == 1 and is_picture(self.paths[0])


def list_samples(path: str | Path, report: Report = silent) -> tuple[Sample, ...]:
    """Return the samples at `path`, sorted by name, without opening them.

    `path` is a picture, a .bin file, a folder of pictures, a folder of sample folders, or one sample folder (which has at
    least one .bin file: pictures alone are a sample each). Hidden files are passed over, other strangers reported once.
    DataError names what is missing and says what was expected.
    """
    root = Path(path)
    try:
        root.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        expected = "expected a folder of pictures, or of sample folders of .bin files"
        raise DataError(f"cannot be read: {reason}; {expected}", where=str(path)) from error
    if not root.is_dir():
        if _is_bin(root) or is_picture(root):
            return (Sample(_shown_name(root), (root,)),)
        raise DataError(f"expected a picture ({_extensions()}) or a .bin file", where=str(path))
    entries = _entries(root)
    files = [entry for entry in entries if not _is_folder(entry)]
    pictures = [file for file in files if is_picture(file)]
    bins = [file for file in files if _is_bin(file)]
    if bins and (not pictures or len(bins) + len(pictures) <= MOST_INPUTS):
        _tell_of_strangers(root, entries, [*bins, *pictures], report)
        return (Sample(_shown_name(root), tuple(file for file in files if file in bins or file in pictures)),)
    if pictures:
        _tell_of_strangers(root, entries, pictures, report)
        return tuple(Sample(_shown_name(picture), (picture,)) for picture in pictures)
    return _sample_folders(root, entries, report)


def sample_key(sample: Sample) -> str:
    """Return the content key of `sample`: equal files, equal key. DataError when a file cannot be read."""
    return content_key(sample, [read_bytes(path) for path in sample.paths])


def content_key(sample: Sample, contents: list[bytes]) -> str:
    """Return the key of `sample` whose files, in the order of `paths`, hold `contents`.

    A picture's name is not part of it; those of .bin files are, since they decide which input each one feeds.
    """
    digest = hashlib.blake2b(digest_size=32)
    for path, data in zip(sample.paths, contents, strict=True):
        name = b"" if sample.is_picture else os.fsencode(path.name)
        digest.update(b"%d %d " % (len(name), len(data)) + name)
        digest.update(data)
    return digest.hexdigest()


def match_inputs(sample: Sample, names: Sequence[str]) -> dict[str, Path]:
    """Return the file of `sample` for each input of `names`, in that order.

    A file belongs to the longest input name its own name begins with ("/" in an input's name may be "_" in the file's);
    the one file for the one input may have any name. A file that no name fits is left out; DataError when an input has no file, or several.
    """
    if len(names) == len(sample.paths) == 1:
        return {names[0]: sample.paths[0]}
    found: dict[str, list[Path]] = {name: [] for name in names}
    for path in sample.paths:
        owner = _owner(path, names)
        if owner is not None:
            found[owner].append(path)
    have = ", ".join(map(_shown_name, sample.paths))
    for name, paths in found.items():
        if not paths:
            raise DataError(f"no file for input {name}: expected {name}*.bin, found {have}", where=sample.name)
        if len(paths) > 1:
            several = ", ".join(map(_shown_name, paths))
            raise DataError(f"several files for input {name}: {several}", where=sample.name)
    return {name: paths[0] for name, paths in found.items()}


def apart(samples: Sequence[Sample], name: str) -> tuple[Sample, ...]:
    """Return the samples of a network whose one input is `name`: of a folder of .bin files each file is one.

    Not where just one of them bears the input's name: that folder is a sample with files for other inputs. DataError when a file cannot
    be read.
    """
    found: list[Sample] = []
    for sample in samples:
        own = [path for path in sample.paths if _owner(path, [name]) is not None]
        if len(sample.paths) == 1 or len(own) == 1:
            found.append(sample)
            continue
        alone = [Sample(_shown_name(path), (path,)) for path in own or sample.paths]
        found += [replace(each, key=sample_key(each)) for each in alone]
    return tuple(found)


def fed_with_pictures(samples: Sequence[Sample], names: Sequence[str]) -> frozenset[str]:
    """Return the inputs among `names` for which every sample has a picture."""
    found = set(names)
    for sample in samples:
        if not sample.is_picture:
            found &= {owner for path in sample.paths if is_picture(path) and (owner := _owner(path, names)) is not None}
    return frozenset(found)


def unclaimed(sample: Sample, names: Sequence[str]) -> tuple[Path, ...]:
    """Return the files of `sample` that belong to none of the inputs `names`."""
    return tuple(path for path in sample.paths if _owner(path, names) is None)


def _owner(path: Path, names: Sequence[str]) -> str | None:
    fitting = [name for name in names if path.name.startswith((name, name.replace("/", "_")))]
    return max(fitting, key=len, default=None)


def _sample_folders(root: Path, entries: list[Path], report: Report) -> tuple[Sample, ...]:
    """Return the folders that hold one file per input: .bin files, pictures, or both.

    Folders of pictures alone are samples when they all look so; a folder of one, or of many, is taken for a data set of its own.
    """
    inside = {folder: [f for f in _entries(folder) if _is_bin(f) or is_picture(f)] for folder in entries if _is_folder(folder)}
    full = {folder: files for folder, files in inside.items() if files}
    if not any(_is_bin(f) for files in full.values() for f in files) and not all(1 < len(files) <= MOST_INPUTS for files in full.values()):
        hint = "there are pictures one folder below: name that folder"
        raise DataError(f"the folder holds no samples, expected {_expected()}", where=str(root), hint=hint)
    if not full:
        raise DataError(f"the folder holds no samples, expected {_expected()}", where=str(root))
    _tell_of_strangers(root, entries, list(full), report)
    return tuple(Sample(_shown_name(folder), tuple(files)) for folder, files in full.items())


def _expected() -> str:
    return f"pictures ({_extensions()}) or sample folders of .bin files"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # not ours to look at
        return False


def _is_bin(path: Path) -> bool:
    return path.suffix.lower() == ".bin"


def _entries(folder: Path) -> list[Path]:
    """Return what is in `folder`, sorted by name, without hidden files and the clutter of file managers."""
    try:
        inside = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(folder)) from error
    return [entry for entry in inside if not entry.name.startswith(".") and entry.name.lower() not in _CLUTTER]


def _tell_of_strangers(root: Path, entries: list[Path], taken: list[Path], report: Report) -> None:
    strangers = sorted(set(entries) - set(taken))
    if strangers:
        names = ", ".join(_shown_name(path) for path in strangers[:3]) + (", ..." if len(strangers) > 3 else "")
        text = f"{root}: no sample in {len(strangers)} of {len(entries)} entries: {names}"
        report(Log(text, level="warning", source="dataset"))


def _shown_name(path: Path) -> str:
    """Return the name of `path` as text that can be encoded, whatever bytes the file system holds."""
    name = path.name or path.resolve().name  # the folder "." has a name as well
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _extensions() -> str:
    return " ".join(sorted(extension[1:] for extension in PICTURES))
