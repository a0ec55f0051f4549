"""Small networks, a made dataset and probes, and a run of them without the command line."""

from dataclasses import asdict, dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from PIL import Image

from harness import Dataset, LabelSpace, Measure, ModelSpec, Probe, Sample
from harness.data.manifest import build
from harness.engine.networks import LoadedNetworks
from harness.planning.plan import Settings
from harness.planning.planner import plan, plan_task
from harness.planning.request import Selection
from harness.store import RunReader, RunWriter, StoredCell
from harness.workflows.execution import compute

CLASSES = tuple("abcdefghij")


class Linear(torch.nn.Module):
    """Logits from block means of the image: ten numbers that differ from image to image."""

    def __init__(self, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = torch.nn.Parameter(torch.randn(48, 10, generator=generator))

    def forward(self, images):
        return torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1) @ self.weight


class Source:
    """Networks by name, and a note of everything that was loaded."""

    name = "source"

    def __init__(self, **networks):
        self.networks = networks

    def files(self, spec):
        return ()

    def load(self, spec):
        return self.networks[spec.name]


@dataclass(frozen=True, kw_only=True)
class Made(Dataset):
    """Random 40 x 32 images made from their id; `decoded` counts how often."""

    name: str = "made"
    n: int = 50
    bad: int = -1
    decoded: ClassVar[list] = []

    def label_space(self):
        return LabelSpace(name="ten", classes=CLASSES, model_label_space="ten", outputs=10)

    def samples(self, root):
        return [Sample(id=f"{i:03d}", targets=(i % 10,)) for i in range(self.n)]

    def image(self, sample):
        self.decoded.append(sample.id)
        if int(sample.id) == self.bad:
            raise OSError("broken data stream")
        rng = np.random.default_rng(int(sample.id))
        return Image.fromarray(rng.integers(0, 256, (32, 40, 3), dtype=np.uint8))


@dataclass(frozen=True, kw_only=True)
class Shades(Probe):
    """Three brightnesses, one of them with noise of its own."""

    name: ClassVar[str] = "shades"
    raise_at: int = -1

    def conditions(self, size):
        return ("clean", "dark", "noisy")

    def stimuli(self, batch):
        if str(self.raise_at).zfill(3) in batch.sample_ids:
            raise RuntimeError("second batch")
        yield "clean", batch.images
        yield "dark", batch.images * 0.5
        yield "noisy", (batch.images + 0.1 * batch.noise("shades")[:, None]).clamp(0, 1)

    def measures(self, trials):
        yield Measure(name="m", value=trials.accuracy("clean"))


@dataclass(frozen=True, kw_only=True)
class Plain(Probe):
    """The image itself."""

    name: ClassVar[str] = "plain"

    def conditions(self, size):
        return ("clean",)

    def stimuli(self, batch):
        yield "clean", batch.images

    def measures(self, trials):
        yield Measure(name="p", value=trials.accuracy("clean"))


class Watch:
    """Progress that remembers."""

    def __init__(self, stop_after=None):
        self.images = self.forwards = 0
        self.warnings, self.stop_after = [], stop_after

    def begin(self, title, images, forwards):
        self.promised = (images, forwards)

    def advance(self, images, forwards):
        self.images, self.forwards = self.images + images, self.forwards + forwards
        if self.stop_after is not None and self.images >= self.stop_after:
            raise KeyboardInterrupt

    def warn(self, message):
        self.warnings.append(message)


def specs_of(*names):
    return {name: ModelSpec(name=name, source="source", label_space="ten", outputs=10) for name in names}


def run(path, networks, dataset=None, probes=(Shades(), Plain()), workers=2, watch=None, space=("ten", 10), **settings):
    """One run through planner, runner and store; returns (failures, plan). `space`: the networks' classes."""
    dataset = dataset or Made(preprocessing=small_images())
    chosen = Settings(**{"batch_size": 8, **settings})
    manifest = build(dataset, path.parent)
    getattr(dataset, "decoded", []).clear()  # images that are made are made for their digest too
    tasks = [plan_task(f"{probe.name}@made", probe, dataset, manifest, chosen.batch_size) for probe in probes]
    specs = {name: replace(spec, label_space=space[0], outputs=space[1]) for name, spec in specs_of(*networks).items()}
    with RunWriter.create(path, settings=asdict(chosen), command=["test"]) as opened:
        planned = plan(tasks, list(specs.values()), {name: () for name in specs}, chosen, opened.cells())
        selection = Selection(
            suite=None,
            models=tuple(specs.values()),
            tasks=(),
            probes={},
            datasets={},
            sources={"source": Source(**networks)},
            known_datasets=frozenset(),
        )
        failures = compute(
            opened,
            planned,
            selection,
            LoadedNetworks(),
            device=torch.device("cpu"),
            workers=workers,
            progress=watch or Watch(),
            command=["test"],
        )
        return failures, planned


def small_images():
    from harness import Preprocessing

    return Preprocessing(resize=32, size=32)


def trials(path):
    """Everything stored, as plain arrays."""
    opened = RunReader.open(path)
    out = {}
    for task, model in opened.cells():
        out[task, model] = arrays_of(opened.read(task, model))
    return out


def arrays_of(cell):
    """Every array of the trials of a cell, as `trials` has it."""
    return tuple(values.copy() for values in (cell.top5, cell.logp, cell.correct, cell.rank))


def same(a, b):
    return a.keys() == b.keys() and all(
        np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for key in a for x, y in zip(a[key], b[key], strict=True)
    )


def stored_cell(job, spans, failed=None):
    """What a run folder says of `job`."""
    return StoredCell(job=job, spans=tuple(spans), failed=failed, provenance={}, layout="")
