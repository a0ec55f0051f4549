"""What the report ``consistency`` says of decisions that are missing, and of observers that saw other images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness import Study

from .schema import DatasetEntry, PairEntry

MEASURES = {"accuracy": "top1", "shape-bias": "shape-bias"}
"""Probes that show unmodified images -> one of their measures; the decisions of either are compared."""
HUMANS = "humans"


def missing_remarks(study: Study, damaged: Mapping[tuple[str, str], Sequence[str]]) -> Iterator[str]:
    """One line for each reason why observers lack decisions that could be compared."""
    observers = {place: list(names) for place, names in damaged.items()}
    unreadable = {(name, task) for (task, _), names in damaged.items() for name in names}
    for model in study.models:
        for reason in model.missing:
            probe = reason.subject.partition("@")[0]
            if reason.kind == "task" and probe in MEASURES and (model.name, reason.subject) not in unreadable:
                observers.setdefault((reason.subject, reason.line), []).append(model.name)
    for (task, line), names in observers.items():
        yield f"no decisions on {task}: {line}: {', '.join(names)}"


def remarks_on(pairs: Sequence[PairEntry], with_people: Sequence[DatasetEntry]) -> Iterator[str]:
    """Nothing to compare, nobody to compare with, and pairs that saw other images."""
    if not pairs:
        yield (
            "no two observers decided on one dataset; type: harness import model-vs-human FOLDER --out RUN, and give "
            "that run beside your own"
        )
    elif not with_people:
        yield f"no observer is in the group {HUMANS!r}, so nothing is compared with people"
    for dataset in dict.fromkeys(pair["dataset"] for pair in pairs):
        counts = [count for pair in pairs if pair["dataset"] == dataset for count in pair["seen"]]
        if len(set(counts)) > 1:
            spread = f"{min(counts):,} to {max(counts):,} images"
            yield f"{dataset}: observers saw {spread}; each pair is compared on the images that both saw"
