"""What a measure was made of, and how two such protocols differ."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar

import pytest

from harness import Dataset, Preprocessing
from harness.data.manifest import Manifest, dataset_identity
from harness.plugins.probes.band_pass import BandPass
from harness.records import FIRST_CHOICES, Identity, Job, effect_of
from harness.store import StoredCell
from harness.study.protocols import Origin, changes, departures, described_changes, standard_of
from tests.helpers.engine import Plain
from tests.helpers.identities import DOCUMENT, PATHS, identity, origin, other


@pytest.mark.parametrize("path", PATHS)
def test_every_part_of_an_identity_is_compared(path):
    section = DOCUMENT
    for part in path.split("."):
        section = section[part]
    (change,) = changes(origin(), origin(**{path: other(section)}))
    assert (change.path, change.before, change.effect) == (path, section, effect_of(path))


def origin_of(document):
    return Origin(task="accuracy@photos", identity=document)


EFFECTS = {
    "probe.version": "meaning",
    "probe.params.cutoffs": "meaning",
    "dataset.preprocessing.size": "meaning",
    "dataset.interpolation": "meaning",
    "layout.conditions": "meaning",
    "engine": "meaning",
    "settings.something_new": "meaning",
    "model.checkpoint": "network",
    "model.mean": "network",
    "settings.seed": "draws",
    "settings.precision": "rounding",
    "versions.torch": "rounding",
    "machine.device": "rounding",
    "settings.store": "none",
    "layout.span": "none",
}


@pytest.mark.parametrize("path", EFFECTS)
def test_what_is_not_known_to_be_harmless_changes_the_meaning(path):
    assert effect_of(path) == EFFECTS[path]


def test_a_limit_counts_where_no_manifest_says_which_images_were_seen():
    with_manifest = changes(origin(), origin(**{"settings.limit": 5}))
    without = changes(*(origin(**{"dataset.manifest": None, "settings.limit": limit}) for limit in (None, 5)))
    assert [change.effect for change in (*with_manifest, *without)] == ["none", "none"]
    bare = [
        Identity({**identity().document, "dataset": {"name": "photos"}, "settings": {"limit": n}}) for n in (None, 5)
    ]
    (change,) = changes(*(origin_of(one) for one in bare))
    assert (change.path, change.effect) == ("settings.limit", "meaning")


def test_required_trials_are_part_of_the_protocol():
    two = [origin(required={"clean": identity(**{"probe.version": version})}) for version in (1, 2)]
    (change,) = changes(*two)
    assert (change.path, change.effect) == ("requires.clean.probe.version", "meaning")


def test_the_device_is_part_of_the_numerics():
    (change,) = changes(origin(machine={"device": "A100"}), origin(machine={"device": "H200"}))
    assert (change.path, change.effect) == ("machine.device", "rounding")


def stored(provenance, tensors=(), code=None, sessions=(), **changes):
    job = Job(
        task="accuracy@photos", model="m", key="0" * 64, identity=identity(**changes), code=code or {}, tensors=tensors
    )
    return Origin.of(StoredCell(job=job, spans=(), failed=None, provenance=provenance, layout="", sessions=sessions))


MACHINE = {"device": "cpu, 2 threads", "device_model": "A", "cpu_capability": "AVX2", "threads": 2, "created": "today"}


@pytest.mark.parametrize("fact", ["device", "device_model", "cpu_capability"])
def test_the_processor_is_compared_where_both_cells_record_it(fact):
    (change,) = changes(stored(MACHINE), stored({**MACHINE, fact: "other"}))
    assert (change.path, change.effect) == (f"machine.{fact}", "rounding")
    assert changes(stored(MACHINE), stored({"device": "cpu, 2 threads"})) == ()


def test_a_cell_that_was_continued_on_another_machine_has_both():
    first, second = (json.dumps({**MACHINE, "device_model": name}) for name in "AB")
    (change,) = changes(stored(MACHINE), stored(MACHINE, sessions=(first, second)))
    assert (change.path, change.now) == ("machine.device_model", "A and B")
    assert changes(stored(MACHINE), stored(MACHINE, sessions=(first, first))) == ()


def test_the_processor_beside_a_gpu_does_not_count():
    gpu = {"settings.device_type": "cuda"}
    facts = {**MACHINE, "device": "H200"}
    assert (
        changes(stored(facts, **gpu), stored({**facts, "device_model": "B", "cpu_capability": "AVX512"}, **gpu)) == ()
    )


def test_other_files_with_the_same_tensors_are_one_checkpoint():
    other_file = {"model.checkpoint": ["9a" * 32]}
    for tensors, effect in ((("t",), "none"), (("u",), "network"), ((), "network")):
        (change,) = changes(stored(MACHINE, ("t",)), stored(MACHINE, tensors, **other_file))
        assert (change.path, change.effect) == ("model.checkpoint", effect)


def test_other_code_of_one_version_is_told():
    (change,) = changes(stored(MACHINE, code={"probe": "a"}), stored(MACHINE, code={"probe": "b"}))
    assert (change.path, change.effect) == ("code.probe", "none")


def test_imported_decisions_are_compared_in_what_they_record():
    decisions = Identity(
        {
            "model": {"name": "m", "source": "import x"},
            "probe": dict(DOCUMENT["probe"], version=2),
            "dataset": {"name": "photos"},
            "trials": FIRST_CHOICES,
            "content": "cc",
        }
    )
    found = changes(origin_of(decisions), origin())
    assert [(change.path, change.effect) for change in found] == [("probe.version", "meaning"), ("trials", "none")]


def test_columns_are_told_only_where_no_parameter_explains_them():
    both = changes(origin(), origin(**{"dataset.corruptions": ["fog"], "layout.conditions": ["fog-1"]}))
    assert described_changes(both) == "dataset.corruptions changed: fog, snow -> fog"
    assert (
        described_changes(changes(origin(), origin(**{"layout.conditions": ["fog-1"]})))
        == "layout.conditions changed: clean -> fog-1"
    )


# --- published numbers ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Photos(Dataset):
    preprocessing: Preprocessing = field(default_factory=lambda: Preprocessing(resize=None, size=64))
    corruptions: tuple[str, ...] = ("fog", "snow")

    def label_space(self):
        raise NotImplementedError

    def samples(self, root):
        return ()


@dataclass(frozen=True, kw_only=True)
class Clean(Plain):
    name: ClassVar[str] = "accuracy"


def measured(probe, dataset, **changes):
    return origin(
        "band-pass@photos",
        required={"accuracy": identity(**{"probe.params": {}})},
        **{
            "probe": {"name": probe.name, "version": probe.version, "params": asdict(probe)},
            "dataset": dataset_identity(dataset, Manifest(samples=(), total=9, digest="dd")),
            **changes,
        },
    )


STANDARD = standard_of({"band-pass": BandPass(), "accuracy": Clean()}, {"photos": Photos(name="photos")})


def test_defaults_are_the_standard_whatever_the_images_and_the_network():
    own = measured(BandPass(), Photos(name="photos", path="elsewhere"), **{"dataset.n": 3, "settings.seed": 9})
    assert departures(own, STANDARD(own)) == ()


@pytest.mark.parametrize(
    ("probe", "dataset", "changes", "path"),
    [
        (BandPass(bias_cutoffs=(0.9,)), Photos(name="photos"), {}, "probe.params.bias_cutoffs"),
        (BandPass(), Photos(name="photos", corruptions=("fog",)), {}, "dataset.corruptions"),
        (BandPass(), Photos(name="photos", preprocessing=Preprocessing()), {}, "dataset.preprocessing.resize"),
        (BandPass(), Photos(name="photos"), {"dataset.interpolation": "bicubic"}, "dataset.interpolation"),
        (BandPass(), Photos(name="photos"), {"dataset.version": 2}, "dataset.version"),
        (BandPass(), Photos(name="photos"), {"probe.version": 8}, "probe.version"),
    ],
)
def test_what_is_not_the_default_departs_from_the_standard(probe, dataset, changes, path):
    own = measured(probe, dataset, **changes)
    assert path in [change.path for change in departures(own, STANDARD(own))]


def test_required_probes_have_a_standard_too():
    own = measured(BandPass(), Photos(name="photos"))
    newer = replace(own, required={"accuracy": identity(**{"probe.params": {}, "probe.version": 2})})
    (change,) = departures(newer, STANDARD(newer))
    assert change.path == "requires.accuracy.probe.version"


def test_a_dataset_that_is_not_installed_has_no_defaults():
    own = measured(BandPass(), Photos(name="photos", corruptions=("fog",)))
    standard = standard_of({"band-pass": BandPass()}, {})
    assert departures(own, standard(own)) == ()
