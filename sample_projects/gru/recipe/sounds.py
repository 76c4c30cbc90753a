"""Voices and noises that numpy sings, and their spectra.

A voice is a row of gliding harmonics under moving formants, in syllables, with a hiss before some of them.  A noise has a random
spectrum, hums here and there, and swells slowly.  A seed decides everything.
"""

import numpy as np
import numpy.typing as npt

RATE = 16000
FRAME, HOP, BINS = 512, 256, 256
SECONDS = 2
SAMPLES = RATE * SECONDS
WINDOW = np.sqrt(np.hanning(FRAME + 1)[:FRAME])
EXPONENT = 0.3
FLOOR = 1e-6

Signal = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.complex128]


def _curve(rng: np.random.Generator, knots: int, low: float, high: float, size: int = SAMPLES) -> Signal:
    """Return a curve through random knots."""
    return np.interp(np.linspace(0, knots - 1, size), np.arange(knots), rng.uniform(low, high, knots))


def _shaped(rng: np.random.Generator, gain: Signal) -> Signal:
    """Return noise whose spectrum follows a gain given for SAMPLES // 2 + 1 bins, RMS 1."""
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=SAMPLES)) * gain, SAMPLES)
    return noise / np.sqrt(np.mean(noise**2))


def _syllables(rng: np.random.Generator) -> Signal:
    """Return an envelope 0..1 of syllables and pauses."""
    knots = int(SECONDS * 16)
    loud = rng.uniform(0.4, 1.0, knots) * (np.repeat(rng.random(-(-knots // 3)), 3)[:knots] < 0.75)
    return np.interp(np.linspace(0, knots - 1, SAMPLES), np.arange(knots), loud)


def voice(rng: np.random.Generator) -> Signal:
    """Return a voice of SAMPLES samples, RMS 1."""
    pitch = rng.uniform(90, 240) * np.exp(_curve(rng, 9, -0.25, 0.25))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = [_curve(rng, 13, *ends) for ends in ((250, 900), (900, 2300), (2300, 3500))]
    total = np.zeros(SAMPLES)
    for harmonic in range(1, 41):
        frequency = harmonic * pitch
        audible = frequency < 7000
        resonance = sum(width / (1 + ((frequency - f) / 120) ** 2) for f, width in zip(formants, (1.0, 0.6, 0.3), strict=True))
        total += audible * (resonance + 0.02) / np.sqrt(harmonic) * np.sin(harmonic * phase + rng.uniform(0, 2 * np.pi))
    total *= _syllables(rng)
    frequencies = np.fft.rfftfreq(SAMPLES, 1 / RATE)
    hiss = _shaped(rng, np.exp(-(((frequencies - rng.uniform(3500, 5500)) / 1200) ** 2)))
    bursts = _curve(rng, 25, -2.0, 1.0).clip(0)
    total += 0.5 * np.sqrt(np.mean(total**2)) * bursts * hiss
    return total / np.sqrt(np.mean(total**2))


def noise(rng: np.random.Generator) -> Signal:
    """Return a noise of SAMPLES samples, RMS 1."""
    octaves = np.log2(np.fft.rfftfreq(SAMPLES, 1 / RATE).clip(31.25)) - np.log2(31.25)
    decibels = np.interp(octaves, np.arange(9), rng.uniform(-12, 12, 9)) - rng.uniform(0, 5) * octaves
    total = _shaped(rng, 10 ** (decibels / 20)) * np.exp(_curve(rng, 7, -0.5, 0.5))
    for _ in range(rng.integers(0, 4)):
        total += rng.uniform(0.1, 0.6) * np.sin(2 * np.pi * rng.uniform(50, 2000) * np.arange(SAMPLES) / RATE)
    return total / np.sqrt(np.mean(total**2))


def mixed(rng: np.random.Generator, clean: Signal, noisy: Signal) -> tuple[Signal, Signal]:
    """Return (voice, voice with noise): -5 to 10 dB of voice over noise, at any loudness."""
    level = 10 ** rng.uniform(-1.6, -0.6)
    below = 10 ** (-rng.uniform(-5, 10) / 20)
    return level * clean, level * (clean + below * noisy)


def clip(seed: int, number: int) -> tuple[Signal, Signal]:
    """Return clip `number` of the set that `seed` names: (voice, voice with noise)."""
    rng = np.random.default_rng([seed, number])
    return mixed(rng, voice(rng), noise(rng))


def spectrum(signal: Signal) -> Spectrum:
    """Return the windowed spectra (frames, BINS) of a signal; the constant part (bin 0) is left out."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, FRAME)[::HOP]
    return np.fft.rfft(frames * WINDOW)[:, 1:]


def signal(spectra: Spectrum) -> Signal:
    """Return the signal of windowed spectra, overlapped and added: what `spectrum` took apart, but for its ends."""
    frames = np.fft.irfft(np.pad(spectra, ((0, 0), (1, 0))), FRAME) * WINDOW
    total = np.zeros(HOP * (len(frames) - 1) + FRAME)
    for index, frame in enumerate(frames):
        total[index * HOP : index * HOP + FRAME] += frame
    return total


def planes(spectra: Spectrum) -> npt.NDArray[np.float32]:
    """Return the model's input `spectrum`: float32 (frames, 2, 1, BINS), real and imaginary part."""
    return np.stack([spectra.real, spectra.imag], 1)[:, :, None].astype(np.float32)


def features(spectra: Spectrum) -> npt.NDArray[np.float32]:
    """Return tensor `740`: float32 (frames, 3, 1, BINS), the spectrum with its magnitude compressed, and that magnitude."""
    parts = planes(spectra)
    magnitude = np.sqrt((parts**2).sum(1, keepdims=True) + np.float32(FLOOR))
    compressed = magnitude ** np.float32(EXPONENT)
    return np.concatenate([parts * (compressed / magnitude), compressed], 1)


def ideal_gains(clean: Signal, noisy: Signal) -> Signal:
    """Return the gains (frames, BINS), 0..1, of a Wiener filter that knows the voice and the noise."""
    wanted, rest = np.abs(spectrum(clean)) ** 2, np.abs(spectrum(noisy - clean)) ** 2
    return np.sqrt(wanted / (wanted + rest + FLOOR))


def ratio(clean: Signal, heard: Signal) -> Signal:
    """Return how far a signal is the voice, in decibels: scale-invariant signal-to-distortion ratio (Le Roux et al., ICASSP 2019)."""
    inner = slice(HOP, min(len(clean), len(heard)) - HOP)
    clean, heard = clean[inner], heard[inner]
    target = clean * (heard @ clean) / (clean @ clean)
    return 10 * np.log10((target @ target) / ((heard - target) @ (heard - target)))
