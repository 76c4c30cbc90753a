"""The user's configuration is changed in place, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ConfigError, OutputError
from engine.export.config_file import edit_config

TEXT = b'\xef\xbb\xbf{\r\n\t"SOC" : "T40",\r\n\t"note": "\xe5\xb1\x82"\r\n}\r\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "magik.cfg"
    path.write_bytes(TEXT)
    path.chmod(0o640)
    return path


def test_the_bytes_around_a_key_stay(config: Path) -> None:
    assert edit_config(config, {"QUANT_OP_SKIP": ["EltwiseAdd"]})
    assert config.read_bytes() == TEXT.replace(b'"\r\n}', b'",\r\n\t"QUANT_OP_SKIP": ["EltwiseAdd"]\r\n}')
    assert config.stat().st_mode & 0o777 == 0o640
    assert edit_config(config, {"QUANT_OP_SKIP": None})
    assert config.read_bytes() == TEXT


def test_nothing_is_written_where_nothing_changes(config: Path) -> None:
    before = config.stat()
    assert not edit_config(config, {"SOC": "T40"})
    assert (config.stat().st_ino, config.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_link_stays_a_link(config: Path) -> None:
    link = config.parent / "cfg" / "t40.cfg"
    link.parent.mkdir()
    link.symlink_to(config)
    assert edit_config(link, {"SOC": "T41"})
    assert link.is_symlink()
    assert config.read_bytes() == TEXT.replace(b"T40", b"T41")


@pytest.mark.parametrize("changes", [{"SOC": 1}, {"NOPE": 1}])
def test_a_value_that_is_not_legal_leaves_the_file(config: Path, changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        edit_config(config, changes)
    assert config.read_bytes() == TEXT
    assert list(config.parent.iterdir()) == [config]


@pytest.mark.parametrize("call", ["os.fsync", "os.chmod", "os.replace"])
def test_a_disk_that_refuses_leaves_the_file(config: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(call, refuse)
    with pytest.raises(OutputError, match="no space left"):
        edit_config(config, {"SOC": "T41"})
    monkeypatch.undo()
    assert config.read_bytes() == TEXT
    assert list(config.parent.iterdir()) == [config]
