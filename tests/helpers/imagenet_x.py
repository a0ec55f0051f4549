"""Published predictions of four networks on ImageNet-X as trials; they lie beside a development tree only."""

import csv
import gzip
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from harness import TaskLayout, Trials

FACTORS = (
    *("pose", "background", "pattern", "color", "smaller", "shape", "partial_view", "subcategory", "texture", "larger"),
    *("darker", "object_blocking", "person_blocking", "style", "brighter", "multiple_objects"),
)
"""In the order of the bits of ``imagenet_x_val.csv.gz``, which is that of the published tables."""


class Annotations(NamedTuple):
    """Of 48,868 images, one entry each: number, class, and the texts of the attributes of `imagenet-x`."""

    images: np.ndarray
    targets: np.ndarray
    factor: tuple[str, ...]
    factors: tuple[str, ...]
    prototype: tuple[str, ...]


@lru_cache(maxsize=1)
def annotations(real):
    """Those of ``imagenet_x_val.csv.gz``, by the numbers of the images."""
    with gzip.open(real / "more" / "imagenet_x_val.csv.gz", "rt") as file:
        rows = [*csv.reader(file)][1:]
    images, targets, factor, bits, prototype = zip(*rows, strict=True)
    texts = {text: several(int(text)) for text in set(bits)}
    return Annotations(
        np.array(images, int), np.array(targets, int), factor, tuple(texts[text] for text in bits),
        tuple("1" if text == "1" else "" for text in prototype),
    )  # fmt: skip


def several(bits):
    """Names of factors, from the bits of the file."""
    return " ".join(name for place, name in enumerate(FACTORS) if bits >> place & 1)


@lru_cache(maxsize=1)
def predictions(real):
    """Network -> its 50,000 decisions, that on image 1 first."""
    with np.load(real / "more" / "imagenet_x_predictions.npz") as file:
        return dict(zip(file["models"].tolist(), file["predicted"], strict=True))


@lru_cache(maxsize=1)
def layout(real):
    """The task accuracy@imagenet-x, as a run stores it; ids are the numbers alone."""
    images, targets, *attributes = annotations(real)
    return TaskLayout(
        task="accuracy@imagenet-x",
        sample_ids=tuple(f"{image:08}" for image in images),
        targets=targets[:, None].astype(np.int16),
        conditions=("clean",),
        classes=tuple(f"c{number}" for number in range(1000)),
        size=224,
        span=1024,
        attributes=dict(zip(("factor", "factors", "prototype"), attributes, strict=True)),
    )


def trials_of(real, network):
    """The decisions of one network as trials with first choices alone."""
    task, decisions = layout(real), predictions(real)[network]
    top5 = np.full((len(task.sample_ids), 1, 5), -1, np.int16)
    top5[:, 0, 0] = decisions[annotations(real).images - 1]
    logp = np.zeros(top5.shape, np.float16)
    return Trials(model=network, layout=task, top5=top5, logp=logp, correct=top5[:, :, 0] == task.targets)


def published_accuracies(real, name):
    """Network -> column -> accuracy, from a table of ``imagenet_x_results``."""
    with gzip.open(real / "more" / "imagenet_x_results" / name, "rt") as file:
        rows = [*csv.DictReader(file)]
    return {row["model"]: {key: float(text) for key, text in row.items() if key != "model"} for row in rows}


def published_ratios(real, kind):
    """(network, factor) -> the ratio in ``published_values.csv``, to six digits; `kind`: ``top`` or ``multi``."""
    prefix = f"error-ratio@imagenet-x/{kind}/"
    with (real / "more" / "published_values.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["measure"].startswith(prefix)]
    return {(row["network"], row["measure"].removeprefix(prefix)): float(row["value"]) for row in rows}
