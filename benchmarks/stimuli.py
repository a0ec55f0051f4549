"""How fast the filtering probes make their stimuli, beside the per-image way of the study's scripts.

    python -m benchmarks.stimuli

Both sides run in this process, in turns (A, B, A, B, …) after a warm-up, on the same number of threads; the best turn
of each counts, so that other work on the machine disturbs the ratio least. The references make single images and are
not charged for collecting them into a batch, which the probes do. Needs pyrtools (dependency group ``test``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

import numpy as np
import torch

from harness import Batch, Probe
from harness.engine.allocator import keep_freed_memory

CUTOFFS = [0.01, *np.arange(0.1, 0.99, 0.1), 0.99]
NOISE = [(0.0, 0)] + [(sd, band) for band in range(7) for sd in (0.02, 0.04, 0.08, 0.16)]


def measure(samples: int = 64, size: int = 224, threads: int = 2, rounds: int = 5) -> dict[str, float]:
    """Time both probes against their references.

    Args:
        samples: batch size of the probes. size: image side in pixels; the critical band's reference expects 7 bands.
        rounds: how often each side is timed, in turns.

    Returns:
        For ``band_pass``, ``critical_band`` and ``critical_band_vectorised`` (the reference's range step for all pixels
        at once): ``…_reference_ms`` and ``…_probe_ms`` per image and condition, and ``…_ratio`` of the two.
    """
    keep_freed_memory()  # as every run does; the references profit alike
    pixels = np.random.default_rng(0).integers(0, 256, size=(samples, 3, size, size), dtype=np.uint8)
    batch = Batch(
        images=torch.from_numpy(pixels).float() / 255,
        sample_ids=tuple(f"{index:04}" for index in range(samples)),
        targets=((0,),) * samples,
        seed=0,
    )
    few, grey = batch.images[:8], list(pixels[:2, 0])
    references: dict[str, tuple[str, int, Callable[[], None]]] = {
        "band_pass": ("band_pass", len(few) * 2 * len(CUTOFFS), lambda: _band_pass_per_image(few)),
        "critical_band": ("critical_band", len(grey) * len(NOISE), lambda: _critical_band_per_image(grey, _loop)),
        "critical_band_vectorised": (
            "critical_band",
            len(grey) * len(NOISE),
            lambda: _critical_band_per_image(grey, _mask),
        ),
    }
    found: dict[str, float] = {}
    with _threads(threads), torch.inference_mode():
        for name, (probe, stimuli, reference) in references.items():
            before, after = _times(reference, stimuli, _probe(probe), batch, rounds)
            found |= {f"{name}_reference_ms": before, f"{name}_probe_ms": after, f"{name}_ratio": before / after}
    return found


def main() -> None:
    """Print the comparison as a table."""
    rows = {
        "band_pass": ("band-pass", "4x"),
        "critical_band": ("critical band", "30x"),
        "critical_band_vectorised": ("critical band, range step vectorised", ""),
    }
    found = measure()
    print(f"{'ms per image and condition':37} {'reference':>9} {'probe':>7} {'ratio':>7} {'target':>7}")
    for key, (title, target) in rows.items():
        before, after, ratio = (found[f"{key}_{what}"] for what in ("reference_ms", "probe_ms", "ratio"))
        print(f"{title:37} {before:9.3f} {after:7.3f} {ratio:6.1f}x {target:>7}")


def _probe(module: str) -> Probe:
    probe: Probe = import_module(f"harness.plugins.probes.{module}").harness_probes()[0]
    return probe


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _times(reference: Callable[[], None], stimuli: int, probe: Probe, batch: Batch, rounds: int) -> tuple[float, float]:
    """Milliseconds an image and condition of the reference, which makes `stimuli` images, and of the probe."""

    def consume() -> None:
        for _, stimulus in probe.stimuli(batch):
            del stimulus

    made = len(probe.conditions(batch.images.shape[-1])) * len(batch.images)
    reference()
    consume()
    turns = [(_milliseconds(reference) / stimuli, _milliseconds(consume) / made) for _ in range(rounds)]
    return min(before for before, _ in turns), min(after for _, after in turns)


def _milliseconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


# --- references ------------------------------------------------------------------------------


def _band_pass_per_image(images: torch.Tensor) -> None:
    """A full transform, mask and inverse for every image and condition."""
    for low in (False, True):
        for cutoff in CUTOFFS:
            for image in images:
                spectrum = torch.fft.fftshift(torch.fft.fft2(image))
                centre = image.shape[-1] // 2
                radius = int((cutoff if low else 1 - cutoff) * centre)
                inside = slice(centre - radius, centre + radius)
                mask = torch.zeros_like(spectrum) if low else torch.ones_like(spectrum)
                mask[:, inside, inside] = float(low)
                torch.fft.ifft2(torch.fft.ifftshift(spectrum * mask)).real.clip(0, 1)


def _critical_band_per_image(images: list[np.ndarray], keep_in_range: Callable[[np.ndarray], np.ndarray]) -> None:
    """A noise field, a pyramid and two reconstructions of it for every image and condition."""
    from pyrtools.pyramids import LaplacianPyramid

    for sd, band in NOISE:
        for grey in images:
            scaled = grey / 255.0
            base = (scaled - scaled.mean()) * 0.2 + 0.449
            if sd:
                pyramid = LaplacianPyramid(np.random.randn(*base.shape) * sd)  # noqa: NPY002 - as the original draws
                noise = pyramid.recon_pyr(levels=6 - band)
                noise *= _rms(pyramid.recon_pyr(levels=0)) / _rms(noise)
                noisy = base + noise
                if noisy.min() < 0 or noisy.max() > 1:
                    noisy = keep_in_range(noisy)
                base = noisy
            stacked = np.stack([base.astype(np.float32)] * 3, axis=2)
            torch.from_numpy(stacked).permute(2, 0, 1).contiguous()


def _rms(field: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(field))))


def _loop(noisy: np.ndarray) -> np.ndarray:
    """Out-of-range pixels to 0.1 and 0.9, pixel by pixel as in the original."""
    for row in range(noisy.shape[0]):
        for column in range(noisy.shape[1]):
            if noisy[row, column] < 0 or noisy[row, column] > 1:
                noisy[row, column] = 0.1 if noisy[row, column] < 0 else 0.9
    return noisy


def _mask(noisy: np.ndarray) -> np.ndarray:
    """The same for all pixels at once."""
    return np.where(noisy < 0, 0.1, np.where(noisy > 1, 0.9, noisy))


if __name__ == "__main__":
    main()
