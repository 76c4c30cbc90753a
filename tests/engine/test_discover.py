"""Projects are found where the vendor's users have them, and what is missing is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.discover import find_project
from engine.errors import UsageError
from engine.invocation import Invocation, parse_invocation
from engine.shellscript import Command, tool_commands

GUIDE = """\
../../TransformKit/magik-transform-tools \\
-inputpath resnet18-v1-7.onnx \\
-outputpath ./venus_sample_resnet18/resnet18_{soc}_magik.mk.h \\
-cfg ./cfg/magik_{soc}.cfg \\
--save_quantize_model true
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder laid out like the guide's, with scripts for two chips."""
    root = tmp_path / "resnet18"
    (root / "cfg").mkdir(parents=True)
    for soc in ("t40", "t41"):
        (root / f"run_{soc}.sh").write_text(GUIDE.format(soc=soc))
        (root / "cfg" / f"magik_{soc}.cfg").write_text("{}")
    (root / "resnet18-v1-7.onnx").write_bytes(b"model")
    return root


def refusal(path: Path, variant: str | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        find_project(path, variant)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_guides_project(project: Path) -> None:
    """Everything is read off the script; the first variant is chosen."""
    files = find_project(project)
    assert (files.root, files.name) == (project, "resnet18")
    assert (files.variant, files.variants) == ("t40", ("t40", "t41"))
    assert files.model == project / "resnet18-v1-7.onnx"
    assert files.config == project / "cfg" / "magik_t40.cfg"
    assert files.output == project / "venus_sample_resnet18" / "resnet18_t40_magik.mk.h"
    assert files.save_quantize_model is True


@pytest.mark.parametrize("written", ["t41", "T41"])
def test_a_variant_is_chosen_by_name(project: Path, written: str) -> None:
    """Case does not matter; paths follow the script of that variant."""
    files = find_project(project, written)
    assert files.variant == "t41"
    assert files.config.name == "magik_t41.cfg"


@pytest.mark.parametrize("inside", ["run_t41.sh", "cfg/magik_t41.cfg"])
def test_a_file_in_the_project_narrows_the_choice(project: Path, inside: str) -> None:
    """A script, or the configuration that one script names, stands for its variant; the root stays the project's folder."""
    files = find_project(project / inside)
    assert (files.root, files.variant, files.variants) == (project, "t41", ("t41",))
    assert files.output is not None


def test_a_model_in_the_project(project: Path) -> None:
    """The scripts that convert this model are the variants; the script's spelling of the model counts."""
    (project / "other.onnx").write_bytes(b"model")
    (project / "run_a1.sh").write_text(GUIDE.format(soc="t40").replace("resnet18-v1-7", "other"))
    assert find_project(project / "other.onnx").variants == ("a1",)
    assert find_project(project / "resnet18-v1-7.onnx").variants == ("t40", "t41")


def test_without_scripts_configurations_and_the_one_model(project: Path) -> None:
    """cfg/*.cfg are the variants; no artefact is asked for."""
    for script in project.glob("*.sh"):
        script.unlink()
    files = find_project(project, "t41")
    assert (files.variants, files.config.name, files.model.name) == (("t40", "t41"), "magik_t41.cfg", "resnet18-v1-7.onnx")
    assert (files.output, files.save_quantize_model) == (None, False)
    (project / "other.onnx").write_bytes(b"model")
    assert "found 2: other.onnx, resnet18-v1-7.onnx" in refusal(project)
    assert find_project(project / "other.onnx").model.name == "other.onnx"


def test_a_configuration_beside_the_model(tmp_path: Path) -> None:
    """`magik.cfg` in the root is a variant of its own name."""
    (tmp_path / "magik.cfg").write_text("{}")
    (tmp_path / "net.onnx").write_bytes(b"model")
    assert find_project(tmp_path).variants == ("magik",)
    assert find_project(tmp_path / "magik.cfg").model == tmp_path / "net.onnx"


def test_relative_paths_stay_relative(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages show paths as the person wrote them, also from inside the project and from its cfg folder."""
    monkeypatch.chdir(project)
    assert find_project(".").model == Path("resnet18-v1-7.onnx")
    assert find_project(".").name == "resnet18"
    monkeypatch.chdir(project / "cfg")
    assert find_project("magik_t41.cfg").model == Path("../resnet18-v1-7.onnx")


def test_scripts_that_do_not_convert_are_no_variants(project: Path) -> None:
    """run_tests.sh is not a chip; a broken script does not hide the sound ones."""
    (project / "run_tests.sh").write_text("#!/bin/sh\npytest -q\n")
    (project / "run_a1.sh").write_text("magik-transform-tools -i $1 -o out/x.mk.h -cfg cfg/magik_$2.cfg\n")
    assert find_project(project, "t40").variants == ("a1", "t40", "t41")
    assert "run_a1.sh:1:1" in refusal(project, "a1")
    assert '"$1" is only known when the script runs' in refusal(project, "a1")


def test_what_is_missing_is_named(project: Path, tmp_path: Path) -> None:
    """Each refusal names what was looked for, and what comes near it."""
    assert "did you mean resnet18?" in refusal(tmp_path / "resnet81")
    assert "run_*.sh" in refusal(tmp_path)
    assert f"there is one below: {project}" in refusal(tmp_path)
    assert "there is t40, t41" in refusal(project, "t04")
    (project / "resnet18-v1-7.onnx").rename(project / "resnet18-v1-8.onnx")
    said = refusal(project)
    assert "run_t40.sh:1:1" in said
    assert 'the model "resnet18-v1-7.onnx" is not there' in said
    assert "did you mean resnet18-v1-8.onnx?" in said
    (project / "resnet18-v1-8.onnx").rename(project / "resnet18-v1-7.onnx")
    (project / "cfg" / "magik_t40.cfg").unlink()
    assert "did you mean magik_t41.cfg?" in refusal(project)


def test_a_file_that_is_no_project(project: Path) -> None:
    """A picture, say, is refused by what was expected."""
    (project / "cat.jpg").write_bytes(b"")
    assert "expected a project" in refusal(project / "cat.jpg")


def commands(text: str) -> tuple[Command, ...]:
    return tool_commands(text, "run.sh")


@pytest.mark.parametrize(
    "text",
    [
        "magik-transform-tools -i a.onnx -o out/a.mk.h -cfg c.cfg",
        """#!/bin/sh
set -eu
CDPATH= cd -- "$(dirname -- "$0")"
PATH="$PATH:$PWD/bin"
magik-transform-tools \\
  -i a.onnx -o \\
  out/a.mk.h \\
  -cfg c.cfg""",
        "cd `dirname $0` && time ../bin/magik-transform-tools -i 'a.onnx' -o \"out/a.mk.h\" -cfg c.cfg 2>&1 | tee log.txt",
        """HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
MODEL=a.onnx
cd "$HERE"
$TOOLS/magik-transform-tools -i ${MODEL} -o out/a.mk.h -cfg c.cfg > /dev/null""",
        """# it's old: magik-transform-tools -i x -o y.mk.h -cfg z \\
magik-transform-tools -i a.onnx -o out/a.mk.h -cfg c.cfg # don't""",
        """if ! magik-transform-tools -i a.onnx -o out/a.mk.h -cfg c.cfg; then
    echo 'it failed
    really'
fi
cd out && make""",
        "python3 -m engine.cli.transform -i a.onnx -o out/a.mk.h -cfg c.cfg",
        "magik-transform-tools -i a.onnx \\\r\n -o out/a.mk.h -cfg c.cfg\r\n",
    ],
)
def test_a_script_is_read_like_a_shell_would(text: str) -> None:
    """Continuations, quotes, comments, pipes, its own folder and plain assignments are understood."""
    (command,) = commands(text)
    assert command.arguments == ("-i", "a.onnx", "-o", "out/a.mk.h", "-cfg", "c.cfg")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("magik-transform-tools -i $1 -o o.mk.h -cfg c.cfg", '"$1" is only known when the script runs'),
        ("M=$1\n\nmagik-transform-tools \\\n -i $M -o o.mk.h -cfg c.cfg", "run.sh:3:1"),
        ("magik-transform-tools -i `ls *.onnx` -o o.mk.h -cfg c.cfg", "only known when"),
        ("cd ../elsewhere\nmagik-transform-tools -i a -o o.mk.h -cfg c.cfg", 'goes to "../elsewhere"'),
        ("magik-transform-tools -i 'a -o o.mk.h -cfg c.cfg", "cannot be understood"),
    ],
)
def test_what_only_a_shell_knows_is_refused(text: str, said: str) -> None:
    """The message names script, line and word."""
    with pytest.raises(UsageError) as caught:
        commands(text)
    assert said in str(caught.value)


def test_reading_a_script_runs_nothing(project: Path) -> None:
    """Substitutions in a script are text."""
    trace = project / "trace"
    (project / "run_t40.sh").write_text(
        f"touch {trace}\nX=$(touch {trace})\nmagik-transform-tools -i $(touch {trace}) -o a.mk.h -cfg `touch {trace}`\n"
    )
    refusal(project, "t40")
    assert not trace.exists()


def test_hostile_scripts_end_in_a_refusal(project: Path) -> None:
    """Bytes that are no text, a folder, a dangling link: never an exception of another kind."""
    (project / "run_t40.sh").write_bytes(b"magik-transform-tools -i \xff\x00\x1b[2J -o a.mk.h -cfg x\n")
    said = refusal(project, "t40")
    assert said.isprintable()
    (project / "run_t40.sh").unlink()
    (project / "run_t40.sh").mkdir()
    (project / "run_a1.sh").symlink_to("nowhere")
    assert find_project(project).variants == ("t41",)


@pytest.mark.parametrize(
    "line", ["-i m -o o/n.mk.h -cfg c", "-inputpath m -outputpath o/n.mk.h --config c", "--inputpath=m --outputpath=o/n.mk.h -cfg=c"]
)
def test_every_spelling_of_the_flags(line: str) -> None:
    """The guide's short, long and longer forms mean the same."""
    assert parse_invocation(line.split()) == Invocation("convert", "m", "o/n.mk.h", "c")
    assert parse_invocation([*line.split(), "--save_quantize_model", "TRUE"]).save_quantize_model


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "-i MODEL is missing"),
        ("-i m -cfg c", "-o OUT/NAME.mk.h is missing"),
        ("-i m -o n.mk.h", "-cfg magik.cfg is missing"),
        ("-i m -o out/n.bin -cfg c", "did you mean out/n.mk.h?"),
        ("-i m -o out/ -cfg c", "the name of the model is missing"),
        ("-i m -o out/.mk.h -cfg c", "the name of the model is missing"),
        ("-i m -o n.mk.h -cfg", "-cfg: expected a value, got nothing"),
        ("-i -o n.mk.h -cfg c", "-i: expected a value, got the flag -o"),
        ("-i m -i m -o n.mk.h -cfg c", "-i: given twice"),
        ("-i m -o n.mk.h --confg c", "did you mean --config?"),
        ("m -o n.mk.h -cfg c", 'unexpected argument "m"'),
        ("-i m -o n.mk.h -cfg c --save_quantize_model maybe", 'expected true or false, got "maybe"'),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(line: str, said: str) -> None:
    """Each mistake has its own words and exit code 2."""
    with pytest.raises(UsageError) as caught:
        parse_invocation(line.split())
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


def test_file_names_may_hold_any_bytes(project: Path) -> None:
    """A model whose name is no UTF-8 is found through the script that names it."""
    name = os.fsdecode(b"m\xff.onnx")
    try:
        (project / name).write_bytes(b"model")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    (project / "run_t40.sh").write_bytes(b"magik-transform-tools -i m\xff.onnx -o a.mk.h -cfg cfg/magik_t40.cfg\n")
    assert find_project(project, "t40").model == project / name
