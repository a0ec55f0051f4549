"""The parts of the HTML file of the report ``correlation``, in a reviewer's order, from its JSON-ready data alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness import Page

from .._pages import details, listing, provenance_page, remarks_page
from .._predictions import left_out_tables
from .._reading import ANSWER, SENSITIVITY, reading_page
from ..prediction.figures import all_figures as prediction_figures
from ..prediction.tables import detail_tables
from .coefficients import CoefficientTables, coefficient_tables
from .family_tables import families_among
from .figures import curve_figures, scatter_figures
from .further_tables import cluster_tables, set_tables
from .given_tables import given_figures
from .lists import errata_tables, flag_tables, missing_tables, undefined_tables
from .matrix import matrix_figures
from .measure_tables import measure_tables
from .schema import CorrelationData
from .summary import summary
from .tables import interval_tables, joint_tables, model_tables, place_tables, source_lines

ON_PAGE = "in the part on each set of models"


def all_pages(data: CorrelationData) -> list[Page]:
    """Summary, prediction, coefficients, figures, models, and then everything that must be known beside them."""
    tables = coefficient_tables(data, sets=ON_PAGE)
    return [
        Page(title="Summary", text=summary(data)),
        *_answer(data, tables),
        *_figures(data),
        *_models(data),
        *_families(data, tables),
        *_lists(data),
        provenance_page(data["provenance"]),
        reading_page(ANSWER, without=SENSITIVITY),
    ]


def _answer(data: CorrelationData, tables: CoefficientTables) -> Iterator[Page]:
    joint = joint_tables(data, None)
    if joint:
        more = detail_tables(data["predictions"], data["titles"], data["log"])
        yield Page(title="Prediction", figures=tuple(prediction_figures(data)), tables=(*joint, *more))
    single = list(left_out_tables(data["predictions"]))
    if single:
        yield details("Each model as others predict it", single)
    shown = (*tables.matrix, *tables.intervals, *tables.apart, *tables.among)
    if shown:
        yield Page(title="Correlations", figures=tuple(matrix_figures(data)), tables=shown)


def _figures(data: CorrelationData) -> Iterator[Page]:
    scatters, curves = tuple(scatter_figures(data)), tuple(curve_figures(data, each=True))
    if scatters:
        yield Page(title="Scatter plots", figures=scatters)
    if curves:
        yield Page(title="Curves", figures=curves)


def _models(data: CorrelationData) -> Iterator[Page]:
    yield Page(title="Models", tables=(*place_tables(data, full=True), *model_tables(data, full=False)))
    intervals = list(interval_tables(data, full=True))
    if intervals:
        yield details("Intervals", intervals)
    measures = list(measure_tables(data))
    if measures:
        yield Page(title="Measures", tables=tuple(measures), folded=True)


def _families(data: CorrelationData, tables: CoefficientTables) -> Iterator[Page]:
    shown = (*tables.families, *tables.given, *families_among(data), *cluster_tables(data))
    if shown:
        yield Page(title="By training family, and at equal accuracy", figures=tuple(given_figures(data)), tables=shown)
    sets = list(set_tables(data))
    if sets:
        yield replace(details("Each set of models", sets), folded=True)


def _lists(data: CorrelationData) -> Iterator[Page]:
    missing = [*missing_tables(data), *undefined_tables(data)]
    yield listing(
        "Missing, and why", missing, "No model lacks a number that another one has, and no number is undefined."
    )
    yield listing("Flags", list(flag_tables(data)), "No measure carries a flag.")
    yield remarks_page([*data["warnings"], *source_lines(data)])
    yield listing("Errata", list(errata_tables(data)), "No published number here is known to be wrong.")
