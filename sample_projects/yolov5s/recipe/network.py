"""Training of the float network with PyTorch on the CPU."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from recipe.loss import detection_loss
from recipe.pictures import Scene, draw, normalise
from recipe.topology import FIELDS, HEADS, INPUT, NODES, Node

SEED = 414
SCENES, EPOCHS, BATCH, PEAK_RATE = 1500, 12, 16, 0.01
THREADS = 1  # the number of threads decides the order of the sums

Parameters = Mapping[str, npt.NDArray[np.float32]]


def _layer(node: Node) -> nn.Module:
    kernel, stride, norm = (node.attrs[key] for key in ("kernel", "stride", "norm"))
    conv = nn.Conv2d(*node.channels, kernel, stride, kernel // 2, bias=not norm)
    return nn.Sequential(conv, nn.BatchNorm2d(node.channels[1], eps=1e-3, momentum=0.03)) if norm else conv


class Network(nn.Module):
    """The nodes of `topology` as a trainable module; with BatchNormalization, which the ONNX writer folds."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({node.name: _layer(node) for node in NODES if node.op == "Conv"})
        for head in HEADS:  # at first almost nothing is an object
            with torch.no_grad():
                self.layers[head].bias.view(3, FIELDS)[:, 4] -= 4.5

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Return the three feature maps (n, 3 * FIELDS, h, w) of normalised pictures (n, 3, HEIGHT, WIDTH)."""
        values = {INPUT: pictures}
        for node in NODES:
            if node.op not in ("Reshape", "Transpose"):
                values[node.name] = self._apply(node, [values[name] for name in node.inputs])
        return [values[head] for head in HEADS]

    def _apply(self, node: Node, inputs: list[torch.Tensor]) -> torch.Tensor:
        match node.op:
            case "Conv":
                return self.layers[node.name](inputs[0])
            case "Sigmoid":
                return torch.sigmoid(inputs[0])
            case "Mul":
                return inputs[0] * inputs[1]
            case "Add":
                return inputs[0] + inputs[1]
            case "Concat":
                return torch.cat(inputs, 1)
            case "MaxPool":
                return functional.max_pool2d(inputs[0], node.attrs["kernel"], 1, node.attrs["kernel"] // 2)
            case "Resize":
                return functional.interpolate(inputs[0], scale_factor=2, mode="nearest")
            case "Slice":
                start = node.attrs["start"]
                return inputs[0][:, :, start::2] if node.attrs["axis"] == 2 else inputs[0][..., start::2]
        raise ValueError(node.op)

    def parameters_by_name(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return weight and bias of every convolution, its BatchNormalization folded: y = g * (w x - mean) / std + b."""
        result = {}
        for name, layer in self.layers.items():
            conv, norm = layer if isinstance(layer, nn.Sequential) else (layer, None)
            weight, bias = conv.weight.detach(), conv.bias
            if norm is not None:
                factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                weight, bias = weight * factor.reshape(-1, 1, 1, 1), norm.bias - norm.running_mean * factor
            result[f"{name}.weight"], result[f"{name}.bias"] = weight.detach().numpy().copy(), bias.detach().numpy().copy()
        return result


def _varied(scene: Scene, rng: np.random.Generator) -> Scene:
    """Return a scene mirrored, or upside down, or with its colours exchanged, or as it is."""
    pixels, objects = scene.pixels[..., rng.permutation(3)], scene.objects.copy()
    for axis, column in ((1, 1), (0, 2)):
        if rng.random() < 0.5:
            pixels = np.flip(pixels, axis)
            objects[:, column] = pixels.shape[axis] - objects[:, column]
    return Scene(np.ascontiguousarray(pixels), objects)


def train() -> tuple[dict[str, npt.NDArray[np.float32]], Network]:
    """Train from scratch and return the folded parameters, and the network they are from."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(THREADS)
    scenes = [draw(SEED, number) for number in range(SCENES)]
    rng = np.random.default_rng([SEED, SCENES])
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=EPOCHS * (SCENES // BATCH))
    for epoch in range(EPOCHS):
        order, total = rng.permutation(SCENES), 0.0
        for chosen in order[: SCENES // BATCH * BATCH].reshape(-1, BATCH):
            batch = [_varied(scenes[i], rng) for i in chosen]
            optimizer.zero_grad()
            maps = network(torch.from_numpy(normalise(np.stack([scene.pixels for scene in batch]))))
            loss = detection_loss(maps, [scene.objects for scene in batch])
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1:2d} of {EPOCHS}: loss {total / (SCENES // BATCH):.4f}", flush=True)
    network.eval()
    return network.parameters_by_name(), network


def maps(network: Network, pictures: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """Return the three feature maps (3 * FIELDS, h, w) of one normalised picture (1, 3, HEIGHT, WIDTH)."""
    with torch.no_grad():
        return [found[0].numpy() for found in network(torch.from_numpy(pictures))]
