"""The HTML parts of the report `correlation`: three computed sentences, and nothing of the JSON lost."""

import json
import math
import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness import Erratum, Measure, Reason, Remark, StatisticsPlan
from harness.output.promises import checked_pages
from harness.plugins.importers.paper import Paper
from harness.plugins.reports._reading import WORDS
from harness.plugins.reports.correlation import Correlation
from harness.study.compose import compose
from harness.study.rows import Row
from tests.helpers.places import ROOT
from tests.helpers.reasons import absences

REPORT = Correlation()
BIASES = {"shape": ("shape-bias@cc",), "low": ("low-frequency-bias@a",)}
AXES = {"ID": ("top1@a",), "Far": ("top1@b",)}
PARTS = ("shape-bias@cc", "low-frequency-bias@a", "top1@a", "top1@b")
WHY = "0 of 0"
RUN = {
    "run": "runs/a",
    "kind": "trials",
    "settings": {"seed": 7, "limit": None},
    "history": [{"command": ["harness", "run", "--out", "a b"], "created": "2031-05-06", "versions": {"torch": "9.8"}}],
    "tasks": {
        "accuracy@a": {"models": 6, "images": 40, "columns": 3, "trials": 720, "size": 64, "dataset": "ffee"},
        "shape-bias@cc": {"models": 5, "images": 16, "columns": 1, "trials": 80, "size": 64, "dataset": None},
    },
    "checkpoints": {"g0": ["c0ffee"]},
    "sessions": [{"git": "abc+dirty", "device": "abacus", "versions": {"timm": "1.2"}}],
}


def model(name, values, group="g", flags=(), missing=()):
    measures = {
        part: Measure(
            name=part.partition("@")[0], value=value, reason=WHY if value is None else None, flags=flags, n=40
        )
        for part, value in zip(PARTS, values, strict=True)
    }
    return Row(name=name, group=group, run="runs/a", measures=measures, missing=missing)


def rising(group="g", n=6):
    """Every bias rises with every axis."""
    return [model(f"{group}{at}", [(at + k + 1) / 20 for k in range(4)], group) for at in range(n)]


def pages(rows, biases=BIASES, axes=AXES, **more):
    data = json.loads(json.dumps(REPORT.data(compose(rows, biases, axes, **more))))
    return data, {page.title: page for page in checked_pages(REPORT.pages(data))}


def texts(page):
    """Everything that stands on a page."""
    yield from page.text
    for table in page.tables:
        yield from (table.title, table.note, *table.columns, *(cell.text for row in table.rows for cell in row))


def leaves(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def everything():
    """A study with every kind of gap, flag, remark and erratum."""
    unlike = Remark("comparability", "low-frequency-bias@a", "cutoffs 0.9, most have 0.3")
    gone = (
        Reason(kind="task", subject="pgd@a", text="failed: NaN logits", remedy="harness run --models gone"),
        Reason(kind="measure", subject="top1@b", text="needs labels"),
    )
    models = [
        *rising(),
        *rising("h", 7),
        model("marked", (0.3, 0.4, 0.5, 0.2), flags=("censored", unlike)),
        *(model(f"marked{at}", (0.31 + at / 100, 0.4, 0.5, 0.2), "h", flags=("extrapolated",)) for at in range(5)),
        Row(
            name="gone", group=None, run="runs/a", measures={}, missing=(*gone, *absences({"shape-bias@cc": "no pair"}))
        ),
    ]
    errata = (
        Erratum(
            measure="top1@b", title="counts 48 images", proof="50,048 is no 50,000", scale=1.00096, offset=-0.00096
        ),
        Erratum(measure="top1@c", title="of the last batch", proof="326 divides it", scale=None, offset=None),
    )
    warnings = (Remark("data", "a", "250 of 50,000 images"), Remark("erratum", "top1@b", "counts 48 images"), "a word")
    return pages(models, errata=errata, warnings=warnings, provenance=[RUN, {"run": "runs/b", "kind": "imported"}])


# --- nothing is lost --------------------------------------------------------------------------


def test_every_flag_remark_reason_erratum_and_origin_stands_on_its_page():
    data, shown = everything()
    missing = [entry for one in data["models"] for entry in one["missing"]]
    assert {entry["kind"] for entry in missing} == {"task", "measure", "bias", "axis"}
    on_missing = "\n".join(texts(shown["Missing, and why"]))
    for entry in missing:
        assert (
            entry["reason"] in on_missing and entry["subject"] in on_missing and (entry["remedy"] or "") in on_missing
        )
    rows = [[cell.text for cell in row] for row in shown["Flags"].tables[0].rows]
    for one in data["models"]:
        for measure, details in one["details"].items():
            for flag in details.get("flags", ()):
                assert any(row[0] == flag and measure in row[1] and one["name"] in row[3].split(", ") for row in rows)
    assert [row[0].text for row in shown["Remarks"].tables[0].rows] == data["warnings"]
    on_errata = list(texts(shown["Errata"]))
    for erratum in data["errata"]:
        assert {erratum["measure"], erratum["title"], erratum["proof"]} <= set(on_errata)
    origin = "\n".join(texts(shown["Provenance"]))
    for leaf in leaves(data["provenance"]):
        assert leaf is None or str(leaf) in origin


@pytest.mark.parametrize("depth", [1, 9, 400])
def test_hostile_origins_are_one_text_where_they_are_deep(depth):
    value = "end"
    for _ in range(depth):
        value = [value, {"x": 1}]
    _, shown = pages(
        rising(), provenance=[{"run": "r", "kind": "trials", "further": value, "settings": {"a": {"b": [1, 2]}}}]
    )
    origin = "\n".join(texts(shown["Provenance"]))
    assert "end" in origin and "settings.a.b\n1, 2" in origin


def test_every_reason_of_an_undefined_statistic_stands_there():
    for rows in (
        [*rising(), *rising("few", 2)],
        rising(n=2),
        [model(f"m{at}", (0.5, at / 9, 0.5, 0.5)) for at in range(7)],
    ):
        data, shown = pages(rows, denominators={"low-frequency-bias": "top1"})
        told = "\n".join(texts(shown["Missing, and why"]))
        found = [
            reason
            for entry in [*data["predictions"], *data["correlations"], *data["bias_correlations"], *data["clusters"]]
            for part in (entry, entry.get("families"), entry.get("partial"), *entry.get("baselines", {}).values())
            if isinstance(part, dict) and (reason := part["reason"])
        ]
        assert found and all(reason in told for reason in found)


def test_a_study_without_any_of_them_says_so():
    _, shown = pages(rising())
    for title, sentence in (
        ("Flags", "No measure carries a flag."),
        ("Errata", "No published number here is known to be wrong."),
        ("Provenance", "The numbers were given without a run."),
    ):
        assert shown[title].text == (sentence,) and not shown[title].tables


def test_the_parts_come_in_the_order_of_a_reviewer():
    _, shown = everything()
    assert list(shown) == [
        "Summary", "Prediction", "Each model as others predict it", "Correlations", "Scatter plots", "Models",
        "Measures", "By training family, and at equal accuracy", "Each set of models", "Missing, and why", "Flags",
        "Remarks", "Errata", "Provenance", "How to read this",
    ]  # fmt: skip
    assert shown["Measures"].folded and not shown["Prediction"].folded
    assert [figure.name for figure in shown["Correlations"].figures] == ["matrix", "matrix-biases"]


def test_every_number_in_a_table_is_one_of_the_json():
    data, shown = everything()
    known = {float(value) for value in leaves(data) if isinstance(value, int | float)}
    known |= {100 * value for value in known}
    numbers = [
        cell.value
        for page in shown.values()
        for table in page.tables
        for row in table.rows
        for cell in row
        if isinstance(cell.value, float)
    ]
    assert len(numbers) > 200
    assert [number for number in numbers if number not in known] == []


def test_the_words_are_those_of_the_glossary():
    glossary = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    bold = set(re.findall(r"\*\*([^*]+)\*\*", glossary))
    assert set(WORDS) - bold == {"n", "ρ", "ρ within", "flag"}


# --- three sentences --------------------------------------------------------------------------


def sentences(*arguments, **more):
    data, shown = pages(*arguments, **more)
    return data, shown["Summary"].text


def test_what_was_measured():
    _, (first, *_) = sentences([*rising(), model("stray", (0.1, 0.2, 0.3, 0.4), None)], provenance=[RUN])
    assert first == (
        "7 models were measured in 2 tasks with 800 trials (1 run), for 2 biases and 2 axes of generalization; 6 of "
        "them, in 1 group, enter the statistics over models."
    )


def test_a_model_of_two_labels_is_counted_once():
    again = replace(rising(n=1)[0], name="g0 (bob)", label="bob", duplicate_of="g0")
    data, (first, *_) = sentences([*rising(), again])
    assert first.startswith("6 models have 24 numbers, ") and len(data["models"]) == 7


@pytest.mark.parametrize(
    ("rows", "biases", "axes", "words"),
    [
        (
            [],
            {},
            {},
            [
                "The study has no models, and defines no biases and no axes",
                "do not define both",
                "is tested: the runs do not define both",
            ],
        ),
        (rising(), {}, AXES, ["no biases", "do not define both", "do not define both"]),
        (rising(), BIASES, {}, ["no axes", "do not define both", "do not define both"]),
        (
            rising(n=1),
            BIASES,
            AXES,
            [
                "1 model has 4 numbers, for 2 biases and 2 axes of generalization; it, in 1 group, enters",
                "can be predicted",
                "undefined (n = 1)",
            ],
        ),
        (
            [model(f"m{at}", (None,) * 4) for at in range(6)],
            BIASES,
            AXES,
            ["6 models", "No axis of generalization can be predicted", "undefined (n = 0)"],
        ),
        (
            [model(f"m{at}", (0.5, 0.5, at / 9, 0.5)) for at in range(6)],
            BIASES,
            AXES,
            ["6 models", "No axis of generalization can be predicted", "No single coefficient"],
        ),
    ],
    ids=["nothing", "no-bias", "no-axis", "one-model", "all-null", "constant"],
)
def test_degenerate_studies_say_why(rows, biases, axes, words):
    _, told = sentences(rows, biases, axes)
    for sentence, word in zip(told, words, strict=True):
        assert any(part in sentence for part in word.split("|")), sentence
        assert sentence.endswith(".") and not re.search(r"None|nan|  |\.\.", sentence)


def test_without_groups_each_model_is_independent_and_models_are_left_out():
    rows = [model(f"m{at}", (at / 20, (at * at % 7) / 9, at / 12, at / 15 + at % 2 / 9), None) for at in range(9)]
    _, (first, second, third) = sentences(rows)
    assert "; all of them enter the statistics" in first
    assert second.startswith("By ols on 2 biases together, the Q² LOO of models that were left out (1 is perfect, ")
    assert "significant with each model taken as independent after Holm's correction" in third


def test_a_relation_that_turns_round_within_families_is_told():
    rows = [
        model(f"{group}{at}", (base - at / 100, 0.5 + at * base / 50, base + at / 100, 0.3), group)
        for group, base in (("g", 0.1), ("h", 0.4), ("i", 0.7))
        for at in range(9)
    ]
    data, (*_, third) = sentences(rows, {"shape": BIASES["shape"]}, {"ID": AXES["ID"]})
    (entry,) = [one for one in data["correlations"] if one["models"] == "all"]
    assert entry["spearman"] > 0 > entry["families"]["within"] and entry["families"]["p_within_holm"] < 0.05
    assert third == (
        "Of 1 single coefficient, none is significant within training families after Holm's correction "
        "with the sign that it has over all models; 1 is with the other sign."
    )


values = st.one_of(st.none(), st.integers(1, 9).map(lambda k: k / 10))
models = st.lists(st.tuples(st.sampled_from(["g", "h", None]), st.tuples(values, values, values, values)), max_size=9)


@settings(max_examples=25, deadline=None)
@given(drawn=models, kept=st.integers(0, 2))
@example(drawn=[("g", (0.1, 0.2, 0.3, 0.4))] * 6, kept=2)
def test_the_counts_are_those_of_the_json_and_the_pages_hold_together(drawn, kept):
    rows = [model(f"m{at}", numbers, group) for at, (group, numbers) in enumerate(drawn)]
    biases = dict(list(BIASES.items())[:kept])
    data, shown = pages(rows, biases, AXES)
    first, _, third = shown["Summary"].text
    assert first.startswith("The study has no models" if not rows else f"{len(rows)} model")
    starred = [entry for entry in data["correlations"] if entry["models"] == "all" and _significant(entry)]
    assert third.count(" × ") == (len(starred) or ("smallest p" in third))
    for page in shown.values():
        for table in page.tables:
            assert all(len(row) == len(table.columns) for row in table.rows), table.title


def _significant(entry):
    """By permutation within families, with the same sign; where there are none, as if models were independent."""
    families = entry["families"]
    if families["families"] == 0:
        return entry["p_holm"] is not None and entry["p_holm"] < 0.05
    p, within = families["p_within_holm"], families["within"]
    return p is not None and p < 0.05 and within * entry["spearman"] > 0


def test_the_sentences_of_the_published_table(real):
    table = Paper().read(real / "paper" / "benchmark.csv")
    rows = [
        Row(name=m.name, group=m.group, run="runs/paper", measures=m.measures, missing=absences(m.missing))
        for m in table.models
    ]
    origin = {"run": "runs/paper", "kind": "imported", "title": table.title, "source": table.source, "license": "CC"}
    data, shown = pages(
        rows, table.biases, table.axes, titles=table.titles, statistics=table.statistics,
        provenance=[origin],
    )  # fmt: skip
    first, second, third = shown["Summary"].text
    assert f"runs/paper: {table.title}; {table.source}; CC" in texts(shown["Remarks"])
    numbers = sum(len(m.measures) for m in table.models)
    assert first == (
        f"70 models were read from 1 published table ({numbers:,} numbers), for 6 biases and 4 axes of "
        "generalization; 48 of them, in 7 groups, enter the statistics over models."
    )
    q2 = {(one["generalization"], one["learner"]): one["q2_lofo"] for one in data["predictions"]}
    for axis in table.axes:
        assert f"{q2[axis, 'ols']:.2f} and {q2[axis, 'ols-log']:.2f} for {axis}" in second
    assert "; ID is predicted better than by a constant and by chance (p < 0.05) by each." in second
    overall = [entry for entry in data["correlations"] if entry["models"] == "all"]
    named = [f"{table.titles.get(e['bias'], e['bias'])} × {e['generalization']}" for e in overall if _significant(e)]
    assert len(named) == 4 and all(name in third for name in named)
    assert third.startswith("Of 24 single coefficients, 4 are significant within training families after Holm's ")


def test_no_number_of_the_summary_is_another_than_in_the_json():
    data, (_, second, third) = sentences(
        [*rising(), *rising("h", 7), model("odd", (0.9, 0.1, 0.2, 0.8))], statistics=StatisticsPlan(log=("low",))
    )
    known = [value for value in leaves(data) if isinstance(value, float) and math.isfinite(value)]
    shown = re.findall(r"-?\d+\.\d\d(?!\d)", second + third)
    assert shown
    for text in shown:
        assert any(f"{value:z.2f}" == text for value in [*known, 0.05]), text
