"""The command `magik-transform-tools`: flags, log lines, table and success box of the vendor's tool.

Unlike the vendor's it exits with 0 exactly when the conversion succeeded, and never writes over a configuration of yours.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.cli.guard import cancellable, guarded, say
from engine.cli.narrate import Narrator, vendor
from engine.cli.process import works_once
from engine.errors import EXIT_DONE, OutputError, UsageError
from engine.events import Log
from engine.invocation import TOOL, Invocation, parse_invocation
from engine.version import VERSION

HELP = f"""\
usage: {TOOL} -i MODEL -o OUT/NAME.mk.h -cfg CFG [--save_quantize_model true]
       {TOOL} -gcfg

Converts an ONNX model: quantizes it after training, and compares it with its float original.

  -i, -inputpath, --inputpath MODEL       the ONNX model
  -o, -outputpath, --outputpath OUT/NAME.mk.h
                                          writes OUT/NAME.bin and OUT/magik_model_NAME.mk.h
  -cfg, --config CFG                      magik.cfg; its relative paths start at the working folder
  --save_quantize_model true|false        also writes OUT/save-magik/model_quant.mgk (default: false)
  -gcfg, --gen_config                     writes the template ./magik.cfg
  --version                               prints the version
  -h, --help                              prints this

exit codes: 0 done, 1 the work failed, 2 wrong usage or bad input, 130 interrupted
"""
BANNER = f"INFO(magik): {TOOL} version:{VERSION}"
SUCCESS = "* ^_^ Convert successfully, Enjoy it ^_^ *"
TEMPLATE = Path("magik.cfg")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command on `argv` (by default the arguments of this process) and return its exit code."""
    return guarded(TOOL, lambda: _run(sys.argv[1:] if argv is None else argv))


def _run(argv: Sequence[str]) -> int:
    asked = parse_invocation(argv)
    if asked.action == "help":
        say(HELP)
    elif asked.action == "version":
        say(f"{TOOL} {VERSION}\n")
    elif asked.action == "template":
        say(BANNER + "\n")
        _write_template(Narrator(sys.stdout, vendor))
    else:
        say(BANNER + "\n")
        _convert(asked)
    return EXIT_DONE


def _write_template(narrator: Narrator) -> None:
    """Write ./magik.cfg; a file of that name that says something else is somebody's work and stays."""
    from engine.config import template_text

    text = template_text()
    try:
        with TEMPLATE.open("x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
            except BaseException:
                TEMPLATE.unlink()
                raise
    except FileExistsError as error:
        if not TEMPLATE.is_file() or TEMPLATE.read_bytes() != text.encode():
            hint = "move it away, or run this in another folder"
            raise UsageError("exists already and is not the template", where=f"./{TEMPLATE}", hint=hint) from error
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", where=f"./{TEMPLATE}") from error
    narrator(Log(f"wrote the configuration template ./{TEMPLATE}"))


def _convert(asked: Invocation) -> None:
    works_once()
    narrator = Narrator(sys.stdout, vendor)
    try:
        with cancellable(narrator) as report:
            from engine import project
            from engine.cli.summary import summary_lines

            output = Path(asked.output)
            job = project.Job(
                model=Path(asked.model),
                config_path=Path(asked.config),
                root=Path(),
                output=output,
                save_quantize_model=asked.save_quantize_model,
                name=output.name.removesuffix(".mk.h"),
            )
            document = project.run(job, report=report)
    finally:
        narrator.close()
    lines = [*table_lines(document), *summary_lines(document)]
    say("".join(line + "\n" for line in [*lines, "*" * len(SUCCESS), SUCCESS, "*" * len(SUCCESS)]))


def table_lines(document: dict[str, Any]) -> list[str]:
    """Return the vendor's table of a document, left out when no debug sample was measured, and what was not done as asked."""
    from engine.analysis.report import from_json
    from engine.analysis.table import exceptions, table

    nodes = from_json(document).nodes
    return [*(table(nodes) if any(row.samples for row in nodes) else ()), *exceptions(nodes)]


if __name__ == "__main__":
    sys.exit(main())
