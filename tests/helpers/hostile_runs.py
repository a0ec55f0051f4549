"""Run folders, tables and names of files that are full of `tests.helpers.hostile_texts`."""

from dataclasses import replace

from harness.records import Erratum, ImportedModel, ImportedTable, Measure
from harness.store.imported import store_table
from tests.helpers.hostile_texts import marked
from tests.helpers.store_writer import COMMAND, create, fill, make_job, make_layout

MEASURE = "top1@made"
ABSENT = "absent@made"


def _named(word, values):
    return dict(zip(marked(word), values, strict=False))


def _all(word, value):
    return {text: value for text in marked(word)}


def write_groups(path):
    """Every model has its group and its reasons; one bias, one axis."""
    models = [f"net-{number:02}" for number, _ in enumerate(marked(""))]
    with create(path) as run:
        run.update_manifest(
            models={model: {"group": group, "title": ""} for group, model in _named("group", models).items()},
            planned={ABSENT: {model: reason for reason, model in _named("reason", models).items()}},
            remedies={ABSENT: {model: remedy for remedy, model in _named("remedy", models).items()}},
            study={"biases": {"b": [MEASURE]}, "axes": {"a": [MEASURE]}, "titles": {"b": marked("title")[0]}},
            warnings={"made": marked("remark")},
        )
        _finish(run, models[:1])
        for failure, model in _named("failure", models[1:]).items():
            run.begin(make_job(model), {"seed": 0})
            run.fail(make_job(model), failure)
        run.publish()


def write_biases(path):
    """As many biases as texts, and one axis; each bias has a short title."""
    _write_names(path, {"biases": _all("bias", [MEASURE]), "axes": {"a": [MEASURE]},
                        "titles": dict(zip(marked("bias"), marked("title"), strict=True))})  # fmt: skip


def write_axes(path):
    """As many axes as texts, and one bias."""
    _write_names(path, {"axes": _all("axis", [MEASURE]), "biases": {"b": [MEASURE]}})


def _write_names(path, study):
    with create(path) as run:
        run.update_manifest(models={model: {"group": "g", "title": ""} for model in ("net-00", "net-01")}, study=study)
        _finish(run, ("net-00", "net-01"))
        run.publish()


def write_conditions(path):
    """As many conditions, samples, classes and attributes as texts; no bias, so that measures are shown one by one."""
    with create(path) as run:
        _finish(run, ("net-00",), texts=True)
        run.publish()


def _finish(run, models, texts=False):
    layout = make_layout(n=len(marked("")), span=64, conditions=1, attributes=("place",))
    layout = replace(layout, conditions=("clean",))
    if texts:
        layout = replace(
            layout, conditions=tuple(marked("condition")), sample_ids=tuple(marked("sample")),
            classes=tuple(marked("class")), attributes={"place": tuple(marked("attribute"))},
        )  # fmt: skip
    for model in models:
        fill(run, layout, make_job(model))
        run.finish([make_job(model)])


def write_table(path):
    """An imported table, whose names of models and measures no registry has looked at."""
    measures = {
        name: Measure(name=name, value=0.5, unit=unit, direction="higher", flags=(flag,))
        for name, unit, flag in zip(marked("measure"), marked("unit"), marked("flag"), strict=True)
    }
    models = [
        ImportedModel(name=name, group="g", measures=measures, missing={MEASURE: missing})
        for name, missing in zip(marked("model"), marked("missing"), strict=True)
    ]
    words = iter(marked(""))
    table = ImportedTable(
        title=f"{next(words)} table", source=f"{next(words)} source", license=f"{next(words)} licence",
        models=tuple(models), biases={"b": (marked("measure")[0],)}, axes={"a": (marked("measure")[1],)},
        errata=(Erratum(measure=marked("measure")[2], title=f"{next(words)} erratum", proof=next(words), scale=2.0),),
    )  # fmt: skip
    store_table(path, table, source_sha256="0" * 64, command=COMMAND)


WRITERS = {
    "groups": write_groups,
    "biases": write_biases,
    "axes": write_axes,
    "conditions": write_conditions,
    "table": write_table,
}
