"""Training of the float network with PyTorch on the CPU."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from recipe.pictures import SEED, Split, normalise
from recipe.topology import OUTPUT, Node, nodes

EPOCHS, BATCH, PEAK_RATE = 40, 64, 0.01
THREADS = 2

Parameters = Mapping[str, npt.NDArray[np.float32]]


def _layer(node: Node) -> nn.Module | None:
    if node.op == "Conv":
        kernel, stride, pads = (node.attrs[key] for key in ("kernel_shape", "strides", "pads"))
        return nn.Conv2d(*node.channels, kernel, stride, pads[:2], bias=False)
    if node.op == "BatchNormalization":
        return nn.BatchNorm2d(node.channels[0])
    return nn.Linear(*node.channels) if node.op == "Gemm" else None


class Network(nn.Module):
    """The nodes of ``topology`` as a trainable module."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = tuple(nodes())
        self.layers = nn.ModuleDict({n.name: layer for n in self.nodes if (layer := _layer(n)) is not None})

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return the logits (n, 10) of normalised pictures (n, 3, SIDE, SIDE)."""
        values = {"data": pictures}
        for node in self.nodes:
            values[node.name] = self._apply(node, [values[name] for name in node.inputs])
        return values[OUTPUT]

    def _apply(self, node: Node, inputs: list[torch.Tensor]) -> torch.Tensor:
        match node.op:
            case "Relu":
                return functional.relu(inputs[0])
            case "Add":
                return inputs[0] + inputs[1]
            case "MaxPool":
                return functional.max_pool2d(inputs[0], 3, 2, 1)
            case "GlobalAveragePool":
                return inputs[0].mean((2, 3), keepdim=True)
            case "Flatten":
                return inputs[0].flatten(1)
            case _:
                return self.layers[node.name](inputs[0])

    def parameters_by_name(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return every parameter under its ONNX name."""
        spelling = {"Conv": {"weight": "weight"}, "Gemm": {"weight": "weight", "bias": "bias"}}
        norm = {"weight": "gamma", "bias": "beta", "running_mean": "running_mean", "running_var": "running_var"}
        result = {}
        for node in self.nodes:
            state = self.layers[node.name].state_dict() if node.name in self.layers else {}
            for ours, theirs in spelling.get(node.op, norm).items():
                if ours in state:
                    result[node.parameter(theirs)] = state[ours].numpy().copy()
        return result


def accuracy(network: Network, split: Split) -> float:
    """Return the top-1 accuracy on a split, 0..1."""
    network.eval()
    with torch.no_grad():
        guesses = network(torch.from_numpy(normalise(split.pictures()))).argmax(1).numpy()
    return float((guesses == split.labels).mean())


def train(data: Mapping[str, Split]) -> dict[str, npt.NDArray[np.float32]]:
    """Train from scratch and return the parameters of the epoch that does best on the validation split."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(THREADS)  # the number of threads decides the order of the sums
    network = Network()
    labels = torch.from_numpy(data["train"].labels)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=0.02)
    steps = EPOCHS * (-(-len(labels) // BATCH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps)
    best, kept = -1.0, {}
    for epoch in range(EPOCHS):
        network.train()
        pictures = torch.from_numpy(normalise(data["train"].pictures(variant=epoch)))
        for chosen in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(network(pictures[chosen]), labels[chosen], label_smoothing=0.05).backward()
            optimizer.step()
            schedule.step()
        score = accuracy(network, data["validation"])
        if score >= best:
            best, kept = score, network.parameters_by_name()
        print(f"epoch {epoch + 1:2d} of {EPOCHS}: validation top-1 {score:.4f}", flush=True)
    return kept
