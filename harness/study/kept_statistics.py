"""Statistics over models that an earlier report has computed of the same numbers with the same code."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from harness.local.kept import BUILT_IN, code_digest, kept_file, read_kept, touch_kept, write_kept

if TYPE_CHECKING:
    from harness.interfaces import Report
    from harness.records import Study

T = TypeVar("T")


def kept_statistics(report: Report, study: Study, compute: Callable[[], T], *, of: Sequence[object] = ()) -> T:
    """The result of `compute`, from the cache folder if it is there; for built-in reports, whose code is in the key.

    The key is a digest of the report, of the models that the study has with their groups, labels, biases and axes, of
    what it and its probes declare, and of all code. Permutations and resamples have fixed seeds, so that what is kept
    is what would be computed.

    Args:
        compute: makes a JSON-ready object of nothing but these parts of the study, and what `of` stands for.
        of: JSON-ready: what else the result rests on, such as measures, and digests of trials (`TrialReader.digest`).
    """
    if not type(report).__module__.startswith(BUILT_IN) or not study.biases:
        return compute()  # without a bias there is nothing that takes long
    models = [
        (model.name, model.group, model.label, model.duplicate_of, dict(model.biases), dict(model.axes))
        for model in study.models
    ]
    try:
        declared = [list(study.biases), list(study.axes), study.ungrouped, study.statistics.document()]
        inputs = json.dumps([models, declared, dict(study.denominators), list(of)], allow_nan=False)
    except (TypeError, ValueError):
        return compute()  # a plugin's number that is no float
    key = sha256(f"{code_digest()}\n{type(report).__module__}\n{report.name}\n{inputs}".encode()).hexdigest()
    file = kept_file("statistics", key)
    kept = read_kept(file)
    if kept.get("key") == key and "result" in kept:
        touch_kept(file)
        result: T = kept["result"]
        return result
    result = compute()
    write_kept(file, {"key": key, "result": result})
    return result
