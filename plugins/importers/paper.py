"""The published results of "Can Biases in ImageNet Models Explain Generalization?" (Gavrikov & Keuper, CVPR 2024).

Reads ``raw-data/benchmark.csv`` of paulgavrikov/biases_vs_generalization (arXiv 2404.01509, licence CC BY-SA 4.0): 70
models, of which the study's 48 ResNet-50 have a group. Values stay as published; accuracies become fractions. Known
errors are recorded as `ERRATA`; ``docs/errata.md`` executes the arithmetic.

``top1_acc/imagenet-c`` is the mean of 19 corruptions, not of the usual 15.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import (
    Erratum,
    ImportedModel,
    ImportedTable,
    Importer,
    Measure,
    RequestError,
    StatisticsPlan,
    Tolerance,
    hookimpl,
)

from ._columns import Meaning, refuse_other_units
from ._tables import Lines, Wanted, read_rows

_WANTED = Wanted("expected the study's raw-data/benchmark.csv", "harness import paper benchmark.csv --out RUN")
ABSENT = "not in the published table"
NINETEEN = "note: mean over 19 corruptions, not the usual 15"
MOST_RATIO = 10.0
"""Largest plausible accuracy relative to clean accuracy: only a network that guesses comes above 1 by much."""
MOST_OCTAVES, MOST_CYCLES = 32.0, 224.0
"""Largest plausible width and center of a critical band: a fit may lie beyond what 224 pixels hold, but not by much."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "baseline": ("tv_resnet50",),
    "training_recipes": (
        "tv2_resnet50",
        *(f"resnet50.{recipe}_in1k" for recipe in ("d", "c1", "b1k", "c2", "b2k", "a3", "a2", "a1h", "a1")),
    ),
    "augmentation": (
        "resnet50_diffusionnoise_fixed_nonoise",
        "resnet50_prime",
        "resnet50_deepaugment",
        "resnet50_noisymix",
        "resnet50_deepaugment_augmix",
        "resnet50_pixmix_90ep",
        "resnet50_pixmix_180ep",
        "resnet50_augmix_180ep",
        "resnet50_tsbias_tbias",
        "resnet50_tsbias_sbias",
        "resnet50_tsbias_debiased",
        "resnet50_opticsaugment",
    ),
    "stylized": (
        "resnet50_trained_on_SIN",
        "resnet50_trained_on_SIN_and_IN_then_finetuned_on_IN",
        "resnet50_trained_on_SIN_and_IN",
    ),
    "freezing": ("resnet50_frozen_random",),
    "adversarial_training": (
        *(f"robust_resnet50_l2_eps{eps}" for eps in ("0", "0.01", "0.03", "0.05", "0.1", "0.25", "0.5", "1", "3", "5")),
        *(f"robust_resnet50_linf_eps{eps}" for eps in ("0.5", "1.0", "2.0", "4.0", "8.0")),
    ),
    "contrastive": (
        "resnet50_moco_v3_100ep",
        "resnet50_moco_v3_300ep",
        "resnet50_moco_v3_1000ep",
        "resnet50_dino",
        "resnet50_swav",
        "resnet50_simclrv2",
    ),
}
"""Groups of the study's 48 models, from its ``r50_categories.json``."""

BIASES: Mapping[str, tuple[str, ...]] = {
    "shape-bias": ("shape-bias@cue-conflict",),
    "low-frequency-bias": ("low-frequency-bias@imagenet",),
    "high-frequency-bias": ("high-frequency-bias@imagenet",),
    "critical-band-bandwidth": ("critical-band-bandwidth@imagenet",),
    "critical-band-center-frequency": ("critical-band-center-frequency@imagenet",),
    "critical-band-peak-noise-sensitivity": ("critical-band-peak-noise-sensitivity@imagenet",),
}
AXES: Mapping[str, tuple[str, ...]] = {
    "ID": ("top1@imagenet", "top1@imagenet-v2", "top1@imagenet-real"),
    "Robustness": ("top1@imagenet-a", "top1@imagenet-c", "top1@imagenet-cbar"),
    "Concepts": ("top1@imagenet-sketch", "top1@imagenet-r", "top1@stylized"),
    "Adversarial": ("top1@imagenet/pgd-40-low",),
}
TITLES: Mapping[str, str] = {
    "shape-bias": "shape bias",
    "low-frequency-bias": "LF bias",
    "high-frequency-bias": "HF bias",
    "critical-band-bandwidth": "CB width",
    "critical-band-center-frequency": "CB center",
    "critical-band-peak-noise-sensitivity": "peak noise",
    "training_recipes": "recipes",
    "adversarial_training": "adversarial",
}
"""Short titles, as those of the suite `paper`."""

STATISTICS = StatisticsPlan(
    log=("high-frequency-bias",),
    set_apart="adversarial_training",
    controls=("ID",),
    baseline_models=(*GROUPS["baseline"], *GROUPS["training_recipes"]),
    alternatives={
        "ID": {"without ReaL": AXES["ID"][:2]},
        "Robustness": {"without A": AXES["Robustness"][1:]},
        "Concepts": {"without stylized": AXES["Concepts"][:2]},
        **{
            f"{name}-frequency-bias": {
                f"cutoffs to 0.{most}": tuple(
                    f"relative-top1@imagenet/{name}-pass-0.{cutoff}" for cutoff in range(1, most + 1)
                )
                for most in (3, 7, 9)
            }
            for name in ("low", "high")
        },
    },
)
"""Choices about the statistics, as the suite `paper` declares them: high-frequency bias is skewed (its largest value is
seven times the eighth largest), and one group of fifteen was trained against attacks."""

IMAGES: Mapping[str, int] = {
    "imagenet": 50_000,
    "imagenet-v2": 10_000,
    "imagenet-real": 326,
    "imagenet-a": 7_500,
    "imagenet-sketch": 50_889,
    "imagenet-r": 30_000,
    "stylized": 800,
}
"""Number of images behind a published accuracy: every published value is a whole number of images out of this many."""

BEYOND = 391 * 128 - IMAGES["imagenet"]
"""Excess of the divisor of the attack's accuracy: it counts 391 full batches of 128 images."""
MEANING = Meaning(
    clean="top1_acc/imagenet",
    harder=tuple(f"top1_acc/imagenet-{name}" for name in ("v2", "real", "c", "cbar")),
    hard=("top1_acc/imagenet-a", "top1_acc/PGD-40/low", "top1_acc/PGD-40/high"),
    images={
        "top1_acc/imagenet-a": IMAGES["imagenet-a"],
        **{f"top1_acc/PGD-40/{level}": IMAGES["imagenet"] + BEYOND for level in ("low", "high")},
    },
    relative=tuple(
        f"metric/bandpass/{short}/{cutoff}"
        for short in ("LFC", "HFC")
        for cutoff in ("0.01", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.99")
    ),
)
_DIVISOR = (
    "with v in percent, 50,048 v / 100 is a whole number for all {n} published values, 50,000 v / 100 is not, and none "
    "is below 48; code/eval_imagenet_adv.py divides by its position, which goes up to 391 * 128 = 50,048"
)
ERRATA: tuple[Erratum, ...] = (
    Erratum(
        measure="top1@imagenet-real",
        title="accuracy of the last batch (326 images) only, not of all of ReaL",
        proof="with v in percent, 326 v / 100 is a whole number for all 69 published values, and no smaller divisor "
        "does it, of 46,837 labelled images; code/eval_imagenet_real.py logs the last batch's value, not its meter's",
    ),
    *(
        Erratum(
            measure=f"top1@imagenet/pgd-40-{level}",
            title="counts 48 images that do not exist as robust; accuracy is (50,048 v - 48) / 50,000",
            proof=_DIVISOR.format(n=n),
            scale=1 + BEYOND / IMAGES["imagenet"],
            offset=-BEYOND / IMAGES["imagenet"],
        )
        for level, n in (("low", 65), ("high", 33))
    ),
)

_ONE_STEP = "whole noise steps are fitted: one band's threshold a step aside, as by another noise draw, moves it so far"
PROBES: Mapping[str, str] = {
    "top1@*/pgd-*": "pgd",
    "top1@*": "accuracy",
    "shape-bias@*": "shape-bias",
    "*-frequency-bias@*": "band-pass",
    "relative-top1@*": "band-pass",
    "critical-band-*@*": "critical-band",
}
"""The probes that follow the study's own scripts."""
TOLERANCES: tuple[Tolerance, ...] = (
    Tolerance(measures="top1@imagenet/pgd-40-*", within=0.005, reason="random starts of the attack"),
    Tolerance(measures="top1@stylized", within=0.005, reason="4 of 800 images: rounding of logits"),
    Tolerance(measures="top1@imagenet-a", within=0.002, reason="15 of 7,500 images: JPEG decoder, TF32"),
    Tolerance(measures="top1@*", within=0.001, reason="JPEG decoder, TF32"),
    Tolerance(measures="shape-bias@*", within=0.005, reason="published runs of one network differ by 0.001"),
    Tolerance(measures="*-frequency-bias@*", within=0.005, reason="JPEG decoder, TF32; a ratio of accuracies"),
    Tolerance(measures="relative-top1@*", within=0.005, reason="JPEG decoder, TF32; a ratio of accuracies"),
    Tolerance(measures="critical-band-bandwidth@*", within=0.6, reason=_ONE_STEP),
    Tolerance(measures="critical-band-center-frequency@*", within=5.0, reason=_ONE_STEP),
    Tolerance(measures="critical-band-peak-noise-sensitivity@*", within=0.1, reason=_ONE_STEP),
)
"""Those of the critical band are the third quartile over 240 such steps from the 22 networks of its publication."""


@dataclass(frozen=True, kw_only=True)
class _Source:
    """The columns of one measure.

    Attributes:
        columns: the CSV columns that the measure averages.
        percent: whether they are percentages, which become fractions.
        most: the largest possible number; the smallest is zero, or `most` below zero where `signed`.
        needed: whether a table without them is refused.
        n: number of images behind the value, where certain.
    """

    name: str
    columns: tuple[str, ...]
    dataset: str
    condition: str = ""
    unit: str = "fraction"
    direction: Literal["higher", "neither"] = "neither"
    percent: bool = False
    most: float = 1.0
    signed: bool = False
    needed: bool = True
    n: int | None = None
    flags: tuple[str, ...] = ()

    def read(self, row: Mapping[str, str]) -> Measure | None:
        """The measure in one row; None if a cell is empty. Raises ValueError that names the column."""
        texts = [(row.get(column) or "").strip() for column in self.columns]
        if "" in texts:
            return None
        value = math.fsum(self._number(*pair) for pair in zip(self.columns, texts, strict=True)) / len(texts)
        return Measure(
            name=self.name,
            condition=self.condition,
            value=value / 100 if self.percent else value,
            unit=self.unit,
            direction=self.direction,
            n=self.n,
            flags=self.flags,
        )

    def _number(self, column: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"column {column} has {text!r}, expected {self._expected}") from None
        if not math.isfinite(value) or value > self.most or (value < 0 and not self.signed):
            raise ValueError(f"column {column} has {text}, expected {self._expected}")
        return value

    @property
    def _expected(self) -> str:
        if self.percent:
            return "a percentage from 0 to 100"
        below = "" if math.isinf(self.most) else f" from 0 to {self.most:g}"
        return f"a finite number{below or ('' if self.signed else ' of at least 0')}"


def _sources() -> Iterator[_Source]:
    for dataset in ("imagenet", "imagenet-v2", "imagenet-real", "imagenet-a", "imagenet-c", "imagenet-cbar"):
        yield _accuracy(f"top1_acc/{dataset}", dataset, flags=(NINETEEN,) if dataset == "imagenet-c" else ())
    for dataset in ("imagenet-sketch", "imagenet-r", "stylized"):
        yield _accuracy(f"top1_acc/{dataset}", dataset)
    yield _accuracy("top1_acc/PGD-40/low", "imagenet", condition="pgd-40-low")
    yield _accuracy("top1_acc/PGD-40/high", "imagenet", condition="pgd-40-high", needed=False)
    yield _Source(name="shape-bias", columns=("shape-bias",), dataset="cue-conflict")
    for short, word in (("LFC", "low"), ("HFC", "high")):
        five = tuple(f"metric/bandpass/{short}/{cutoff}" for cutoff in ("0.1", "0.2", "0.3", "0.4", "0.5"))
        yield _Source(name=f"{word}-frequency-bias", columns=five, dataset="imagenet", unit="1", most=MOST_RATIO)
        for cutoff in ("0.01", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.99"):
            yield _Source(
                name="relative-top1",
                columns=(f"metric/bandpass/{short}/{cutoff}",),
                dataset="imagenet",
                condition=f"{word}-pass-{cutoff}",
                unit="1",
                most=MOST_RATIO,
                direction="higher",
                needed=False,
            )
    for short, word, unit, most in (
        ("bw", "bandwidth", "octaves", MOST_OCTAVES),
        ("cf", "center-frequency", "cycles/image", MOST_CYCLES),
        ("pns", "peak-noise-sensitivity", "1", 1.0),
    ):
        name, column = f"critical-band-{word}", f"metric/criticalband/{short}"
        raw = _Source(
            name=f"{name}-raw",
            columns=(column,),
            dataset="imagenet",
            unit=unit,
            most=1.0 if unit == "1" else math.inf,
            signed=short == "bw",
            needed=False,
        )
        yield _Source(name=name, columns=(f"{column}_norm",), dataset="imagenet", unit=unit, most=most)
        yield raw


def _accuracy(
    column: str, dataset: str, *, condition: str = "", flags: tuple[str, ...] = (), needed: bool = True
) -> _Source:
    return _Source(
        name="top1",
        columns=(column,),
        dataset=dataset,
        condition=condition,
        direction="higher",
        percent=True,
        most=100.0,
        needed=needed,
        n=IMAGES.get(dataset),
        flags=flags,
    )


class Paper(Importer):
    """``harness import paper benchmark.csv --out RUN``."""

    name = "paper"
    url = (
        "https://raw.githubusercontent.com/paulgavrikov/biases_vs_generalization/"
        "fbd5051dc17eedb30b80486ee95d4f4c49467abe/raw-data/benchmark.csv"
    )

    def read(self, path: Path) -> ImportedTable:
        """All rows of the published table, the 48 of the study first, in the order of their groups.

        Raises:
            RequestError: the file is missing or not CSV, a column is missing, a model occurs twice, or a cell is not a
                number of its column's unit.
        """
        sources = tuple(_sources())
        needed = [column for source in sources if source.needed for column in source.columns]
        rows = read_rows(path, ["model", *needed], _WANTED)
        models = {}
        for line, row in rows:
            model = _model(row, sources, f"{path}, row {line}")
            if model.name in models:
                raise RequestError(
                    f"{path}, row {line}: model {model.name!r} occurs twice; expected one row for each model"
                )
            models[model.name] = model
        _refuse_other_units(path, rows, sources)
        studied = [name for names in GROUPS.values() for name in names if name in models]
        return ImportedTable(
            title="Can Biases in ImageNet Models Explain Generalization? (Gavrikov & Keuper, CVPR 2024)",
            source="github.com/paulgavrikov/biases_vs_generalization, raw-data/benchmark.csv; arXiv 2404.01509",
            license="CC BY-SA 4.0",
            models=tuple(models[name] for name in dict.fromkeys([*studied, *models])),
            biases=BIASES,
            axes=AXES,
            titles=TITLES,
            statistics=STATISTICS,
            errata=ERRATA,
            tolerances=TOLERANCES,
            probes=PROBES,
        )


def _refuse_other_units(path: Path, rows: Lines, sources: Sequence[_Source]) -> None:
    """Raise RequestError for a fraction among percentages, or a percentage among fractions."""

    def columns(percent: bool) -> dict[str, dict[str, float]]:
        bounded = [source for source in sources if source.percent == percent and source.unit in ("fraction", "1")]
        names = [column for source in bounded for column in source.columns]
        texts = {
            name: [(line, row["model"].strip(), (row.get(name) or "").strip()) for line, row in rows] for name in names
        }
        return {
            column: {f"{path}, row {line} ({model})": float(text) for line, model, text in cells if text}
            for column, cells in texts.items()
        }

    refuse_other_units(columns(True), columns(False), MEANING)


def _model(row: Mapping[str, str], sources: Sequence[_Source], location: str) -> ImportedModel:
    name = row["model"].strip()
    if not name:
        raise RequestError(f"{location}: the column 'model' is empty; expected a model's name")
    measures, missing = {}, {}
    for source in sources:
        try:
            measure = source.read(row)
        except ValueError as error:
            raise RequestError(f"{location} ({name}): {error}") from error
        if measure is None:
            full = Measure(name=source.name, condition=source.condition, value=None, reason=ABSENT)
            missing[full.full_name(source.dataset)] = ABSENT
        else:
            measures[measure.full_name(source.dataset)] = measure
    group = next((group for group, names in GROUPS.items() if name in names), None)
    return ImportedModel(name=name, group=group, measures=measures, missing=missing)


@hookimpl
def harness_importers() -> list[Importer]:
    """The importer ``paper``."""
    return [Paper()]
