"""Opening a project once: import the model, observe the features, know the samples. Everything a plan cannot change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass

from ..dataset import Sample, check_specs
from ..events import Progress, Report
from ..frontends.importer import Imported, load
from ..ir import Graph, digest, keys
from ..plan import Choice
from ..quantize import Range, tensors_to_observe
from ..simulate import Inputs, Networks
from ..sources import Job, Sources, Warnings, for_inputs
from ..stages.calibration import observe, range_finders
from ..stages.rows import inputs_of
from ..store import Store

OF_THE_PLAN = frozenset(
    (
        *("quant_feature_bit", "quant_weight_bit", "quant_feature_method", "quant_weight_method", "quant_op_skip", "quant_node_skip"),
        *("weight_fake_quant", "feature_fake_quant", "save_op_quant_bit", "load_op_quant_bit", "load_op_quant_min_max", "soc"),
    )
)
"""Fields of a configuration that change nothing but the plan: with them alone changed, a project stays open."""


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A project with everything that holds for all plans.

    `float_keys` are the keys of the float graph's tensors, `finders` gives a tensor's range under a choice, `identity` names all of it and
    `network` the float network with the samples it is run on, which what it is calibrated on does not change.
    """

    identity: str
    network: str
    imported: Imported
    graph: Graph
    inputs: Inputs
    networks: Networks
    float_keys: Mapping[str, str]
    finders: Mapping[str, Callable[[Choice], Range]]
    debug: tuple[Sample, ...]


OF_THE_RANGES = frozenset(("quant_dataset_path", "quant_dataset_size", "weight_correct_path", "feature_correct_path"))
"""Fields that say what a network is calibrated and corrected on, and change nothing of the float one."""


def identity_of(job: Job, sources: Sources) -> str:
    """Return the name of everything that `open_project` reads: two sources with the same one differ in their plan alone."""
    return _identity(job, sources, OF_THE_PLAN, sources.sets().values())


def _identity(job: Job, sources: Sources, but: Collection[str], sets: Iterable[Sequence[Sample]]) -> str:
    settings = {k: repr(v) for k, v in asdict(sources.config).items() if k not in but}
    named = [[(s.name, s.key) for s in samples] for samples in sets]
    return digest("lab", str(job.model.absolute()), sources.model_key, settings, named)


def open_project(
    job: Job, sources: Sources, *, store: Store, report: Report, executor: Executor | None, like: Opened | None = None
) -> tuple[Opened, Sources]:
    """Import and calibrate; return the project and its sources as its network reads them. Raises MagikError.

    Where `like` has the same float network on the same debug samples, that one is taken, so that what is known of it holds for this one.
    """
    identity = identity_of(job, sources)
    network = _identity(job, sources, OF_THE_PLAN | OF_THE_RANGES, (sources.debug,))
    told = Warnings(report, sources.warnings)
    same = like if like is not None and like.network == network else None
    if same is None:
        told(Progress("ImportModel", 0, 1))
        imported = load(job.model, sources.config, told)
        told(Progress("ImportModel", 1, 1))
    else:
        imported = same.imported
    sources = for_inputs(sources, [spec.name for spec in imported.specs])
    for samples in filter(None, sources.sets().values()):
        check_specs(samples[0], imported.specs)
    graph, inputs = imported.graph, inputs_of(imported, sources)
    if same is not None and inputs == same.inputs:
        networks, float_keys = same.networks, same.float_keys
    else:
        networks, float_keys = Networks(graph, inputs, threads=1), keys(graph, inputs.leaves(), "float")
    tensors = [t for t in tensors_to_observe(graph) if t not in inputs.pictures] if sources.calibration else []
    seen = observe(networks, float_keys, tensors, sources.calibration, store=store, report=told, executor=executor) if tensors else {}
    opened = Opened(identity, network, imported, graph, inputs, networks, float_keys, range_finders(seen, store=store), sources.debug)
    return opened, sources
