"""What ``harness report`` and ``harness export`` show of what is missing, failed or damaged: on the terminal too."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from harness.plugins.probes.accuracy import Accuracy
from tests.helpers.command import run

CONDITIONS_ONLY = """
from dataclasses import dataclass
from harness import Measure, Probe, hookimpl


@dataclass(frozen=True, kw_only=True)
class Shades(Probe):
    name = "shades"
    kinds: int = 2

    def conditions(self, size):
        return tuple(f"shade-{kind}" for kind in range(self.kinds))

    def stimuli(self, batch):
        for kind in range(self.kinds):
            yield f"shade-{kind}", batch.images * (1 - kind / self.kinds)

    def measures(self, trials):
        for name in trials.layout.conditions:
            yield Measure(name="kept", value=trials.accuracy(name), condition=name)


@hookimpl
def harness_probes():
    return [Shades()]
"""


@pytest.fixture
def plug(tmp_path):
    folder = tmp_path / "plug"
    folder.mkdir()
    (folder / "shades.py").write_text(CONDITIONS_ONLY)
    return folder


def flat(text):
    return " ".join(text.split())


@pytest.mark.parametrize("form", ["terminal", "csv", "markdown", "html"])
def test_conditions_are_shown_where_there_is_nothing_else(harness, data, plug, form):
    assert run(harness, "--plugins", "plug", tasks=("shades@imagenet",))[0] == 0
    code, out, _ = harness("report", "run", "--plugins", "plug", "--format", form)
    value = json.loads(harness("report", "run", "--plugins", "plug", "--format", "json")[1])
    expected = value["models"][0]["measures"]["kept@imagenet/shade-1"]
    assert code == 0
    if form == "csv":
        table = list(csv.DictReader(line for line in io.StringIO(out) if not line.startswith("#")))
        assert float(table[0]["kept@imagenet/shade-1"]) == expected
    else:
        assert f"{expected:.3f}" in out


def test_a_failed_cell_is_named_with_its_reason(harness, data):
    assert run(harness, models=("plain", "nan"))[0] == 1
    code, out, _ = harness("report", "run")
    reason = "failed: nan gave NaN or infinite logits"
    assert code == 0 and f"accuracy@imagenet: {reason}" in flat(out).replace("logits for", "logits for")
    assert "incomplete: 1 of 2 cells have no result" in flat(out)
    assert "accuracy@imagenet: failed" in harness("report", "run", "--format", "markdown")[1]
    assert "accuracy@imagenet: failed" in harness("report", "run", "--format", "csv")[1]


def test_an_absent_plugin_and_an_old_version_are_named(harness, data, plug, monkeypatch):
    assert run(harness, "--plugins", "plug", tasks=("shades@imagenet", "accuracy@imagenet"))[0] == 0
    monkeypatch.setattr(Accuracy, "version", 99)
    code, out, _ = harness("report", "run")
    assert code == 0
    assert "shades@imagenet: probe 'shades' is not installed. Type: harness report run --plugins plug: plain" in flat(
        out
    )
    assert "kept@imagenet/shade-1" in harness("report", "run", "--plugins", "plug", "--format", "json")[1]
    assert "accuracy@imagenet: made by version 1 of probe 'accuracy', installed is 99. Type: harness run " in flat(out)
    assert "incomplete: 2 of 2 cells have no result" in flat(out)


@pytest.mark.parametrize("problem", ["raise ValueError('lost')", "yield Measure(name='kept', value=float('nan'))"])
def test_a_probe_that_cannot_reduce_its_trials_is_named_and_others_are_reported(harness, data, plug, problem):
    assert run(harness, "--plugins", "plug", tasks=("shades@imagenet", "accuracy@imagenet"))[0] == 0
    code = CONDITIONS_ONLY.replace("for name in trials.layout.conditions:", f"{problem}\n        for name in []:")
    (plug / "shades.py").write_text(code)
    status, out, _ = harness("report", "run", "--plugins", "plug")
    assert status == 0 and "top1@imagenet" in out
    assert "shades@imagenet: probe 'shades' cannot reduce the stored trials: ValueError" in flat(out)


def test_two_measures_of_one_name_are_set_aside_and_others_are_reported(harness, data, plug):
    assert run(harness, "--plugins", "plug", tasks=("shades@imagenet", "accuracy@imagenet"))[0] == 0
    (plug / "shades.py").write_text(CONDITIONS_ONLY.replace(", condition=name", ""))
    status, out, _ = harness("report", "run", "--plugins", "plug")
    assert status == 0 and "top1@imagenet" in out
    assert "kept@imagenet: probe 'shades' yields two measures named 'kept@imagenet'" in flat(out)


def damage(model):
    (shard,) = Path("run").glob(f"shards/*/{model}/*/*.h5")
    content = bytearray(shard.read_bytes())
    content[-len(content) // 3 :] = np.random.default_rng(0).bytes(len(content) // 3 + 1)[: len(content) // 3]
    shard.write_bytes(content)
    return shard


def test_one_damaged_cell_does_not_hide_the_others(harness, data):
    assert run(harness, models=("plain", "other"))[0] == 0
    shard = damage("other")
    code, out, _ = harness("report", "run")
    assert code == 0 and str(shard) in flat(out) and "incomplete: 1 of 2 cells" in flat(out)
    models = {one["name"]: one for one in json.loads(harness("report", "run", "--format", "json")[1])["models"]}
    assert models["plain"]["measures"]["top1@imagenet"] is not None and models["other"]["measures"] == {}
    assert harness("verify", "run")[0] == 1
    for suffix in (".csv", ".h5"):
        code, _, err = harness("export", "run", "-o", f"trials{suffix}")
        assert code == 1 and f"left out: other on accuracy@imagenet: {shard}" in err and "24 trials in" in err
    assert "other" not in Path("trials.csv").read_text()


def test_where_nothing_can_be_read_the_exit_code_is_1(harness, data):
    assert run(harness)[0] == 0
    shard = damage("plain")
    code, out, err = harness("report", "run")
    assert (code, out) == (1, "") and str(shard) in err
    code, _, err = harness("export", "run", "-o", "trials.csv")
    assert code == 1 and str(shard) in err and not Path("trials.csv").exists()
