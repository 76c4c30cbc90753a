"""The float network and its training with PyTorch on the CPU.

Per frame of 256 bins: a convolutional encoder halves the frequencies four times, to 16 bands of 32 channels; a bidirectional GRU
walks over the bands; a second GRU walks over time in each band and keeps a state of 128; a decoder with shortcuts from the encoder
makes a gain between 0 and 1 for each bin.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from recipe import sounds
from recipe.topology import BANDS, CHANNELS, DECODER, ENCODER, STATE

SEED = 740
VOICES, NOISES, BATCH, STEPS, PEAK_RATE = 240, 240, 6, 520, 3e-3
THREADS = 1  # the number of threads decides the order of the sums


def _convolution(inner: int, outer: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, (1, kernel), (1, stride), (0, kernel // 2))


class Network(nn.Module):
    """Gains (clips, frames, BINS) of features (clips, frames, 3, BINS), from a state of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(_convolution(*sizes, stride=2) for sizes in ENCODER)
        self.fgru = nn.GRU(CHANNELS, CHANNELS // 2, bidirectional=True)
        self.fgru_out = nn.Linear(CHANNELS, CHANNELS)
        self.tgru = nn.GRU(CHANNELS, STATE)
        self.tgru_out = nn.Linear(STATE, CHANNELS)
        self.decoder = nn.ModuleList(_convolution(*sizes) for sizes in DECODER)
        self.gain = _convolution(DECODER[-1][1], 1, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the gains, 0..1."""
        clips, frames = features.shape[:2]
        x = features.reshape(clips * frames, 3, 1, sounds.BINS)
        shortcuts = []
        for layer in self.encoder:
            x = functional.relu(layer(x))
            shortcuts.append(x)
        bands = x.squeeze(2).permute(2, 0, 1)  # bands, clips * frames, channels
        bands = bands + self.fgru_out(self.fgru(bands)[0])
        times = bands.reshape(BANDS, clips, frames, CHANNELS).permute(2, 1, 0, 3).reshape(frames, clips * BANDS, CHANNELS)
        times = times + self.tgru_out(self.tgru(times)[0])
        x = times.reshape(frames, clips, BANDS, CHANNELS).permute(1, 0, 3, 2).reshape(clips * frames, CHANNELS, 1, BANDS)
        for layer, shortcut in zip(self.decoder, (*shortcuts[2::-1], None), strict=True):
            x = functional.interpolate(x, scale_factor=(1, 2), mode="nearest")
            x = functional.relu(layer(x if shortcut is None else torch.cat([x, shortcut], 1)))
        return torch.sigmoid(self.gain(x)).reshape(clips, frames, sounds.BINS)


def _example(rng: np.random.Generator, voices: sounds.Signal, noises: sounds.Signal) -> tuple[npt.NDArray[np.float32], ...]:
    """Return the features of a fresh mixture, the gains to aim at, and how much each bin counts: its compressed power."""
    voice, noise = voices[rng.integers(len(voices))], noises[rng.integers(len(noises))]
    clean, noisy = sounds.mixed(rng, voice, np.roll(noise, rng.integers(sounds.SAMPLES)))
    features = sounds.features(sounds.spectrum(noisy))
    return features, sounds.ideal_gains(clean, noisy).astype(np.float32), features[:, 2, 0] ** 2


def train() -> dict[str, npt.NDArray[np.float32]]:
    """Train from scratch and return the parameters by their PyTorch names."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(THREADS)
    voices = np.stack([sounds.voice(np.random.default_rng([SEED, 1, i])) for i in range(VOICES)])
    noises = np.stack([sounds.noise(np.random.default_rng([SEED, 2, i])) for i in range(NOISES)])
    rng = np.random.default_rng([SEED, 3])
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=STEPS)
    average = 0.0
    for step in range(STEPS):
        examples = zip(*(_example(rng, voices, noises) for _ in range(BATCH)), strict=True)
        features, ideal, weight = (torch.from_numpy(np.stack(part)) for part in examples)
        optimizer.zero_grad()
        loss = (weight * (network(features) - ideal) ** 2).sum() / weight.sum()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average += 0.05 * (loss.item() - average)
        if (step + 1) % 20 == 0:
            print(f"step {step + 1:4d} of {STEPS}: loss {average:.4f}", flush=True)
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def gains(parameters: Mapping[str, npt.NDArray[np.float32]], features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the gains (frames, BINS) of one clip's features (frames, 3, 1, BINS)."""
    network = Network()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in parameters.items()})
    with torch.no_grad():
        return network(torch.from_numpy(features)[None])[0].numpy()
