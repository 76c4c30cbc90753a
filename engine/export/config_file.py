"""Changes of the user's magik.cfg on disk: the file is there whole at every moment, old or new."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from ..config import read_source
from ..configedit import set_keys
from .files import explained, stage


def edit_config(path: Path, changes: Mapping[str, object]) -> bool:
    """Set keys in the configuration file `path` (None takes one out), all else byte for byte, and tell whether anything changed.

    A link keeps pointing where it points, and the file its permissions. ConfigError as from `set_keys` and for a file that cannot be
    read; OutputError where it cannot be written. Then the file is untouched.
    """
    source = read_source(path, hint="-gcfg writes a template")
    text = set_keys(source, changes)
    if text == source.text:
        return False
    target = path.resolve()
    staged = stage(target, [text.encode()], sync=True)
    try:
        with explained(path):
            shutil.copymode(target, staged.temporary)
    except BaseException:
        staged.discard()
        raise
    staged.commit()
    return True
