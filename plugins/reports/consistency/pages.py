"""The parts of the HTML file of the report ``consistency``, from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness import Page

from .._pages import capital, count, details, listed, provenance_page, remarks_page
from .remarks import HUMANS
from .schema import ConsistencyData, ObserverEntry
from .tables import condition_tables, pair_tables, people_tables


def all_pages(data: ConsistencyData) -> list[Page]:
    """Two computed sentences, means over people, every pair, remarks, provenance."""
    people = tuple(people_tables(data, full=True))
    pairs = [*pair_tables(data["pairs"], len(data["pairs"])), *condition_tables(data["pairs"])]
    return [
        Page(title="Summary", text=(_compared(data), _closest(data["models"]))),
        *([Page(title="With people", tables=people)] if people else []),
        *([details("Pairs of observers", pairs)] if pairs else []),
        remarks_page(data["warnings"]),
        provenance_page(data["provenance"]),
    ]


def _compared(data: ConsistencyData) -> str:
    """Whose errors were compared, and where."""
    pairs = data["pairs"]
    if not pairs:
        return "No two observers decided on one dataset, so no errors are compared."
    observers = {pair[side] for pair in pairs for side in ("first", "second")}
    datasets = list(dict.fromkeys(pair["dataset"] for pair in pairs))
    undefined = sum(pair["kappa"] is None for pair in pairs)
    gaps = f"; {undefined} of them have no kappa" if undefined else ""
    where = f"{count(len(datasets), 'dataset')} ({listed(datasets, 3)})"
    return f"{capital(count(len(observers), 'observer'))} are compared in {count(len(pairs), 'pair')} on {where}{gaps}."


def _closest(entries: Sequence[ObserverEntry]) -> str:
    """Which network errs most like people, beside people among each other; or why nobody knows."""
    networks = [entry for entry in entries if entry["group"] != HUMANS]
    known = [(entry["kappa"], entry) for entry in networks if entry["kappa"] is not None]
    if not known:
        reasons = listed(list(dict.fromkeys(_reasons(networks))), 3)
        return f"No network is compared with people: {reasons}."
    kappa, best = max(known, key=lambda pair: pair[0])
    among = next((entry for entry in entries if entry["group"] == HUMANS and entry["kappa"] is not None), None)
    people = f"; people have {among['kappa']:.3f} with each other" if among else ""
    return (
        f"Of {count(len(known), 'network')} compared with people, {best['model']} errs most like them: kappa = "
        f"{kappa:z.3f} over n = {best['n']:,} images (0 is chance, 1 the same errors){people}."
    )


def _reasons(networks: Sequence[ObserverEntry]) -> Iterator[str]:
    if not networks:
        yield "no network and person decided on one dataset"
    yield from (f"{entry['model']}: {entry['reason'] or 'undefined'}" for entry in networks)
