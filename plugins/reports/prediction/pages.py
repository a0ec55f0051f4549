"""The parts of the HTML file of the report ``prediction``, from its JSON-ready data alone."""

from __future__ import annotations

from harness import Page

from .._pages import count, details, measured_sentence, provenance_page, remarks_page
from .._prediction_text import prediction_sentence
from .._predictions import left_out_tables, prediction_tables
from .._reading import SENSITIVITY, reading_page
from .figures import all_figures
from .schema import PredictionData
from .tables import detail_tables


def all_pages(data: PredictionData) -> list[Page]:
    """Two computed sentences, the answer with its figures, each model, remarks, provenance."""
    entries, titles, biases = data["predictions"], data["titles"], len(data["biases"])
    subject = f"{count(biases, 'bias', 'biases')} and {count(len(data['axes']), 'axis', 'axes')} of generalization"
    summary = (measured_sentence(data["measured"], subject), prediction_sentence(entries, titles, biases))
    tables = (
        *prediction_tables(entries, titles, biases, grouped=data["grouped"], most=None),
        *detail_tables(entries, titles, data["log"]),
    )
    single = list(left_out_tables(entries))
    return [
        Page(title="Summary", text=summary),
        *([Page(title="Prediction", figures=tuple(all_figures(data)), tables=tables)] if tables else []),
        *([details("Each model as others predict it", single)] if single else []),
        remarks_page(data["warnings"]),
        provenance_page(data["provenance"]),
        reading_page(without=(*SENSITIVITY, "ρ", "ρ within", "control")),
    ]
