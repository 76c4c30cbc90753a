"""The headless commands of `magik-tui`. Loading this must be cheap: what computes is imported when a command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import click

from engine.cli.guard import guarded
from engine.cli.options import project_options, search_options, width_options
from engine.errors import EXIT_DONE, Cancelled, UsageError, nearest
from engine.version import VERSION

PROGRAM = "magik-tui"


class Commands(click.Group):
    """A group that says which command was meant."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command the first word names; UsageError with the nearest one when there is none."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = nearest(args[0], self.list_commands(ctx))
            hint = f"did you mean {near}?" if near else f"{PROGRAM} --help lists the commands"
            raise UsageError(f"no such command: {args[0]}", hint=hint)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, name=PROGRAM, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """Show which layers of a quantized model lost the accuracy, and mend them.

    Without a command, `magik-tui [PROJECT]` opens the workbench. A PROJECT is a folder with run_*.sh, or with cfg/*.cfg or ./magik.cfg
    and a model, or one of those files. To begin one, `magik-transform-tools -gcfg` writes a ./magik.cfg.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (by default that of this process) and return its exit code; errors are one line on stderr."""
    return guarded(PROGRAM, lambda: _invoke(list(sys.argv[1:] if argv is None else argv)))


def _invoke(argv: list[str]) -> int:
    try:
        result: Any = cli.main(argv, prog_name=PROGRAM, standalone_mode=False)
    except click.Abort as error:
        raise Cancelled from error
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context else ""
        raise UsageError(error.format_message().rstrip("."), hint=hint) from error
    return result if isinstance(result, int) else EXIT_DONE


@cli.command()
@project_options
def run(project: Path, as_json: bool, settings: tuple[str, ...], variant: str | None, jobs: int) -> int:
    """Convert the model of PROJECT, compare it with its float original, and print every layer's figures.

    Besides the artefacts that its script or configuration names, it writes into the folder of the project: magik_dump_path/ (the
    values of every layer on a debug sample) and .magik/ (what the next run need not compute again; delete it at any time).
    """
    from engine.cli.run import run_project

    return run_project(project, as_json=as_json, settings=settings, variant=variant, jobs=jobs)


@cli.command()
@project_options
def watch(project: Path, as_json: bool, settings: tuple[str, ...], variant: str | None, jobs: int) -> None:
    """Compare every layer of PROJECT, and again whenever its magik.cfg, bit file, model or pictures change.

    Only what a change changes is computed; what it changed in the table is printed (--json: one document a line). No artefact is written,
    `run` does that. Ends with ctrl-C.
    """
    from engine.cli.watch import watch_project

    watch_project(project, as_json=as_json, settings=settings, variant=variant, jobs=jobs)


@cli.command()
@search_options
@click.option("--target", type=float, metavar="VALUE", help="What the metric has to reach: 0.99 by default, 20 for sqnr (dB).")
@click.option("--metric", metavar="METRIC", help="cosine_avg (default), cosine_min, sqnr, or a command that judges each step.")
@click.option("--at", metavar="NODE", help="Judge at this node instead of the network's outputs.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Seconds a command has for one step (600).")
@click.option("--apply", is_flag=True, help="Write what was found to QUANT_NODE_SKIP in magik.cfg; the rest of the file stays as it is.")
@click.option("--replay", type=click.Path(path_type=Path), metavar="LOG", help="Take the marks in an edited log and ask for the rest.")
@click.option("--steps", type=click.IntRange(min=0), metavar="N", help="Pause after N networks; the same command goes on. 0 only looks.")
@click.option("--mark", type=click.Choice(["good", "bad", "skip"]), help="Mark the step at hand yourself, in place of the metric.")
@click.option("--undo", type=click.IntRange(min=0), default=0, metavar="N", help="Take the last N steps back first.")
@click.option("--good", multiple=True, metavar="NAME", help="Hold an operator or type to be good: it stays quantized, untried.")
@click.option("--suspect", multiple=True, metavar="NAME", help="Try an operator or type first.")
@click.option("--untested", multiple=True, metavar="NAME", help="Take back what was held of an operator or type.")
@click.option("--resume/--fresh", default=True, help="Go on where the same bisection was stopped (default), or begin again.")
def bisect(
    project: Path,
    as_json: bool,
    settings: tuple[str, ...],
    variant: str | None,
    jobs: int,
    scheduler: str,
    apply: bool,
    timeout: float | None,
    resume: bool,
    undo: int,
    mark: Literal["good", "bad", "skip"] | None,
    good: tuple[str, ...],
    suspect: tuple[str, ...],
    untested: tuple[str, ...],
    **options: Any,
) -> int:
    """Find the few operators of PROJECT that have to stay in float.

    Operator types first, then the nodes of the guilty ones; what is found is checked: with any of it quantized again, the target is
    missed. A command as metric reads the report of each step on its standard input and finds the outputs of the network in the folder
    $MAGIK_OUTPUTS; exit code 0 means good, 125 cannot tell, any other below 128 bad.
    """
    from engine.bisection.byhand import ByHand
    from engine.bisection.wanted import TIMEOUT, Wanted
    from engine.cli.bisect import bisect_project

    hand = ByHand(undo, good, suspect, untested, mark)
    wanted = Wanted(timeout=timeout or TIMEOUT, fresh=not resume, hand=hand, **options)
    where = {"settings": settings, "variant": variant, "jobs": jobs, "scheduler": scheduler}
    return bisect_project(project, wanted, as_json=as_json, apply=apply, **where)


@cli.command()
@search_options
@width_options
def sensitivity(project: Path, **options: Any) -> int:
    """Say what each layer of PROJECT does to the output: alone quantized at every width, and alone in float.

    Layers that share their levels are one unit. The worst come first; --json has all figures in graph order.
    """
    from engine.cli.sensitivity import run_sensitivity

    return run_sensitivity(project, **options)


@cli.command()
@search_options
@width_options
@click.option("--target", type=float, metavar="FIGURE", help="What the metric has to reach; without it and a budget 0.99, or 20 dB.")
@click.option("--budget", type=float, metavar="COST", help="Cost at most; 1 is everything at 8 bits.")
@click.option("--apply", is_flag=True, help="Write the widths into the project, and LOAD_OP_QUANT_BIT into its configuration.")
def tune(project: Path, **options: Any) -> int:
    """Choose the bits of every layer of PROJECT: the least cost that meets a target, found and verified by real runs.

    ctrl-C stops it with the best plan so far. Exit code 1: the target is out of reach, and it is said why.
    """
    from engine.cli.tune import run_tune

    return run_tune(project, **options)


@cli.command()
@project_options
@click.option("--bits", type=(str, int), multiple=True, metavar="NODE BITS", help="The width of what a layer makes; repeatable.")
@click.option(
    "--range", "ranges", type=(str, str), multiple=True, metavar="NODE MIN,MAX", help="The range of what it makes; one may be left out."
)
@click.option("--float", "floats", multiple=True, metavar="NODE", help="Keep a layer in float.")
@click.option("--quantize", "integers", multiple=True, metavar="NODE", help="Quantize a layer that the configuration keeps in float.")
@click.option(
    "--weight-bits", "weights", type=(str, int), multiple=True, metavar="NODE BITS", help="With --dry-run: the width of its weights."
)
@click.option("--dry-run", is_flag=True, help="Write nothing: print every layer's figures as they would be.")
def apply(project: Path, as_json: bool, settings: tuple[str, ...], variant: str | None, jobs: int, dry_run: bool, **asked: Any) -> int:
    """Give single layers of PROJECT other widths, ranges, or float: written into its files, or with --dry-run only tried.

    Widths and ranges go to magik_node_quant_bit_info.json, floats to QUANT_NODE_SKIP, with the keys of magik.cfg that load them; what
    else stands there stays. No file has a place for the weights of one layer: QUANT_WEIGHT_BIT says it for all.
    """
    from engine.cli.apply import apply_plan, plan_document

    where = {"settings": settings, "variant": variant, "jobs": jobs}
    return apply_plan(project, plan_document(**asked), as_json=as_json, dry_run=dry_run, **where)


@cli.command()
@click.argument("project", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(project: Path | None, as_json: bool) -> int:
    """Tell what this machine, this terminal and, if named, PROJECT are like; exit code 1 when something will not work."""
    from engine.cli.doctor import doctor as examined

    return examined(project, as_json=as_json)


@cli.command()
@click.argument("project", type=click.Path(path_type=Path))
@click.option("--variant", metavar="NAME", help="Which SOC's configuration, where the project has several.")
def worker(project: Path, variant: str | None) -> None:
    """Serve PROJECT over JSON lines on stdin and stdout, for a workbench elsewhere (docs/protocol.md)."""
    arguments = [sys.executable, "-P", "-m", "engine.worker", str(project), *(("--variant", variant) if variant else ())]
    os.execv(sys.executable, arguments)  # the same process, so that signals and descriptors are the worker's own


@cli.command()
@search_options
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a report in Markdown, to paste into a ticket.")
@click.option("--apply", type=click.IntRange(min=1), metavar="N", help="Write the lines of fix N of the list into the project's files.")
def diagnose(
    project: Path,
    as_json: bool,
    as_markdown: bool,
    settings: tuple[str, ...],
    variant: str | None,
    jobs: int,
    scheduler: str,
    apply: int | None,
) -> int:
    """Find out why PROJECT lost its accuracy, and what mends it: every cause and every fix is tried and measured.

    Verdict and likely cause first, then the findings, then the fixes with their gain, their cost and the exact lines for magik.cfg.
    Without --apply no file is changed; what was measured is kept in .magik/, so that the same command goes on from there.
    """
    from engine.cli.diagnose import diagnose_project

    where = {"settings": settings, "variant": variant, "jobs": jobs, "scheduler": scheduler}
    return diagnose_project(project, as_json=as_json, as_markdown=as_markdown, apply=apply, **where)


if __name__ == "__main__":
    sys.exit(main())
