"""Every key of magik.cfg, declared once: what it is called, what it holds, what is legal, what it means.

The parser, the `--set` flag, the template of `-gcfg` and the workbench's form are all read off this table.
Names, defaults and legal values are those of the vendor's guide; the limits on bits are the engine's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["choice", "colors", "flag", "integer", "names", "numbers", "path", "shapes"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of magik.cfg.

    `choices` are the legal words of a "choice" or of each of the "colors"; where `strict` is False another word is only
    warned of, and an empty "choice" is the default. `low` and `high` are inclusive limits of an "integer"; `nonzero`
    "numbers" are divisors. A `default` of None means "not given": the engine decides. `respelled` maps values seen in
    the wild to the ones they mean, `aliases` do the same for the key itself. `template` keys are written by `-gcfg`, in
    the order of `SCHEMA`, with `template_value`.
    """

    name: str
    kind: Kind
    default: object
    help: str
    choices: tuple[str, ...] = ()
    strict: bool = True
    low: int | None = None
    high: int | None = None
    nonzero: bool = False
    aliases: tuple[str, ...] = ()
    respelled: tuple[tuple[str, str], ...] = ()
    template: bool = False
    template_value: object = ()

    @property
    def field(self) -> str:
        """The name of the attribute of `Config` that holds this key's value."""
        return self.name.lower()


SCHEMA: tuple[Key, ...] = (
    Key(
        "SOC",
        "choice",
        "",
        "The chip the model will run on.",
        choices=("T40", "T41", "A1", "X2500"),
        strict=False,
        template=True,
        template_value="",
    ),
    Key(
        "INPUT",
        "names",
        (),
        "Names of tensors where the graph begins (a node of the table bears that of its tensor); empty: the model's own. "
        "Inputs that are not listed come from the model.",
        template=True,
    ),
    Key(
        "INPUT_SHAPE",
        "shapes",
        (),
        "Shape of each input in the model's layout (NCHW), [1,3,224,224] or [[...],[...]]; "
        "the last one serves the inputs that follow; empty: from the model.",
        template=True,
    ),
    Key(
        "MEAN",
        "numbers",
        (),
        "What is taken off the pixels (0 to 255): a number, one per channel, or a list of those per input; else 0.",
        template=True,
    ),
    Key(
        "NORMAL",
        "numbers",
        (),
        "What the pixels less MEAN are divided by: a number, one per channel, or a list of those per input; else 1.",
        nonzero=True,
        template=True,
    ),
    Key(
        "COLOR",
        "colors",
        (),
        "The order of the colour channels the model was trained with, per input; empty: RGB.",
        choices=("RGB", "BGR", "GRAY"),
        respelled=(("BRG", "BGR"),),
        template=True,
    ),
    Key(
        "OUTPUT",
        "names",
        (),
        "Names of tensors where the graph ends (a node of the table bears that of its tensor); empty: the model's own.",
        template=True,
    ),
    Key(
        "QUANT_DATASET_PATH",
        "path",
        "",
        "The calibration set: a folder of pictures, or a folder of sample folders of .bin files or pictures; "
        "empty: the model is converted, not quantized.",
        template=True,
        template_value="./path/to/",
    ),
    Key(
        "DEBUG_PATH",
        "path",
        "",
        "Samples (a folder or one file) to compare the float and the quantized model on; switches the debug mode on.",
        aliases=("DEUBG_PATH",),
    ),
    Key(
        "QUANT_FEATURE_BIT",
        "integer",
        8,
        "Bits of the activations; the chips know 4, 8, 10 and 12.",
        low=2,
        high=16,
        aliases=("QUANT_FEATURE_BITS", "FEATURE_QUANT_BITS", "FEATURE_QUANT_BIT"),
    ),
    Key(
        "QUANT_WEIGHT_BIT",
        "integer",
        8,
        "Bits of the weights.",
        low=2,
        high=8,
        aliases=("QUANT_WEIGHT_BITS", "WEIGHT_QUANT_BITS", "WEIGHT_QUANT_BIT"),
    ),
    Key(
        "QUANT_FEATURE_METHOD",
        "choice",
        None,
        "How the range of an activation is found; not given: KL up to 8 bits, MSE above.",
        choices=("KL", "MSE", "ADMM", "MAX_ABS"),
    ),
    Key(
        "QUANT_WEIGHT_METHOD",
        "choice",
        None,
        "How the range of a weight is found; not given: MAX_ABS.",
        choices=("MAX_ABS", "ADMM"),
    ),
    Key(
        "QUANT_DATASET_SIZE",
        "integer",
        None,
        "How many samples of the calibration set are used; not given: all (10 to 200 are advised).",
        low=1,
        aliases=("QUANT_BATASET_SIZE",),
    ),
    Key("QUANT_OP_SKIP", "names", (), "Operator types that stay in float, as model_node_info.json lists them."),
    Key("QUANT_NODE_SKIP", "names", (), "Names of nodes that stay in float."),
    Key(
        "WEIGHT_FAKE_QUANT",
        "flag",
        False,
        "Quantize the weights only, to see whether they lose the accuracy; no model is written.",
    ),
    Key(
        "FEATURE_FAKE_QUANT",
        "flag",
        False,
        "Quantize the activations only, to see whether they lose the accuracy; no model is written.",
    ),
    Key(
        "WEIGHT_CORRECT_PATH",
        "path",
        "",
        "Samples by which weights are rounded together and biases corrected; better not those of the calibration or the debug set.",
        aliases=("WEIGHT_COREECT_PATH",),
    ),
    Key(
        "FEATURE_CORRECT_PATH",
        "path",
        "",
        "Samples on which biases are corrected for what quantized activations shift (our reading: the vendor's guide only names the key).",
    ),
    Key(
        "SAVE_OP_QUANT_BIT",
        "flag",
        False,
        "Write magik_node_quant_bit_info.json, the bits of every node, to be edited.",
    ),
    Key(
        "LOAD_OP_QUANT_BIT",
        "flag",
        False,
        "Take the bits of the nodes from magik_node_quant_bit_info.json; stronger than QUANT_FEATURE_BIT.",
    ),
    Key(
        "LOAD_OP_QUANT_MIN_MAX",
        "flag",
        False,
        "Take MIN and MAX of the nodes from magik_node_quant_bit_info.json.",
    ),
)

BY_NAME: Mapping[str, Key] = {key.name: key for key in SCHEMA}
_BY_SPELLING: Mapping[str, Key] = {name: key for key in SCHEMA for name in (key.name, *key.aliases)}


def find_key(written: str) -> Key | None:
    """Return the key a spelling means, its name or an alias in any case and with blanks or hyphens for "_", or None."""
    return _BY_SPELLING.get("_".join(written.upper().replace("-", " ").replace("_", " ").split()))


def template_text() -> str:
    """Return the magik.cfg that `-gcfg` writes: the eight keys of the guide, in its order and with its indentation."""
    values = {key.name: key.template_value for key in SCHEMA if key.template}
    return json.dumps(values, indent=4, separators=(",", ":")) + "\n"
