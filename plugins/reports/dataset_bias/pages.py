"""The parts of the HTML file of the report ``dataset-bias``, from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Sequence

from harness import Page

from .._cells import number
from .._pages import capital, count, details, listed, provenance_page, remarks_page
from .figures import figures_of, seen_by
from .further_tables import further_tables
from .places import DISTANCE
from .schema import DatasetBiasData, DatasetPlaces, Divergence, ModelByPlace
from .tables import tables_of


def all_pages(data: DatasetBiasData) -> list[Page]:
    """Computed sentences on each dataset, a part for each, remarks, provenance."""
    return [
        Page(title="Summary", text=_summary(data)),
        *(page for entry in data["datasets"] for page in _dataset(data, entry)),
        remarks_page(data["warnings"]),
        provenance_page(data["provenance"]),
    ]


def _dataset(data: DatasetBiasData, entry: DatasetPlaces) -> list[Page]:
    """Where the objects are, and accuracy by it; each accuracy with its interval."""
    name = entry["dataset"]
    same = sum(other["dataset"] == name for other in data["datasets"])
    title = f"{name}, as seen by {listed(entry['models'], 3)}" if same > 1 else name
    further = list(further_tables(name, seen_by(data, entry)))
    figures, tables = tuple(figures_of(data, entry)), tuple(tables_of(data, entry, full=False))
    page = Page(title=f"Dataset {title}", figures=figures, tables=tables)
    return [page, details(f"Intervals: {title}", further)] if further else [page]


def _summary(data: DatasetBiasData) -> tuple[str, ...]:
    if not data["datasets"]:
        return ("No dataset of this study says where its objects are.",)
    images = listed([f"{entry['dataset']} ({count(entry['images'], 'image')})" for entry in data["datasets"]])
    models = len({model["model"] for model in data["models"]})
    first = f"{capital(count(models, 'model'))} decided on images that say where their objects are: {images}."
    return first, *(sentence for entry in data["datasets"] for sentence in _sentences(data, entry))


def _sentences(data: DatasetBiasData, entry: DatasetPlaces) -> tuple[str, str]:
    return f"{_places(entry)}.", f"{_distance(entry, seen_by(data, entry))}."


def _places(entry: DatasetPlaces) -> str:
    """How far the centres are from uniform; without centres, each attribute."""
    divergences: list[tuple[str, Divergence]] = [(of["attribute"], of) for of in entry["attributes"]]
    if entry["place"]:
        divergences = [("the centres of objects", entry["place"])]
    texts = [f"{name} {_divergence(of)}" for name, of in divergences]
    return f"On {entry['dataset']}, from uniform, {listed(texts) or 'nothing is known'}"


def _divergence(of: Divergence) -> str:
    if of["kl"] is None:
        return f"have no divergence ({of['reason']})"
    kl, chance = number(of["kl"], ".3f").text, number(of["kl_by_chance"], ".3f").text
    return f"have a divergence of {kl} nats, where {chance} come by chance (p = {number(of['p'], '.2g').text})"


def _distance(entry: DatasetPlaces, models: Sequence[ModelByPlace]) -> str:
    """For how many networks accuracy changes with the distance from the middle."""
    slopes = [f for model in models for f in model["functions"] if f["attribute"] == DISTANCE]
    known = [(f["low"], f["high"]) for f in slopes if f["low"] is not None and f["high"] is not None]
    if not known:
        reasons = listed(list(dict.fromkeys(f["reason"] or "undefined" for f in slopes)), 3)
        return f"How accuracy on {entry['dataset']} depends on the distance from the middle is unknown" + (
            f": {reasons}" if reasons else ""
        )
    falls, rises = sum(high < 0 for _, high in known), sum(low > 0 for low, _ in known)
    return (
        f"With the distance from the middle, accuracy on {entry['dataset']} falls for {falls} of "
        f"{count(len(known), 'model')} and rises for {rises} (95 % interval of the slope without 0)"
    )
