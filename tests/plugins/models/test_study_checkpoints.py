"""Every registered checkpoint loads from a file in its published layout, bit by bit, and nothing else does.

The networks are real ones with random weights; the files are written as `layouts.PUBLISHED` says, which knows nothing
of the registry's recipes.
"""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePosixPath

import pytest
import torch

from harness import CheckpointError
from harness.checkpoints.locations import digest_in_name, locate
from harness.discovery.loader import load_plugins
from harness.plugins.importers import paper
from harness.registry import built_in_registry, load_registry
from tests.helpers.documents import blocks
from tests.helpers.layouts import drawn, published

REGISTRY = load_registry((), load_plugins(entry_points=False))
NAMES = {name for names in paper.GROUPS.values() for name in names}
STUDY = [spec for spec in REGISTRY.models.values() if spec.name in NAMES]
NETTED = [spec for spec in REGISTRY.models.values() if any(REGISTRY.source_for(spec).downloads(spec))]
FURTHER = [spec for spec in NETTED if spec not in STUDY]
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
NORMALIZED_OTHERWISE = {
    "resnet50_diffusionnoise_fixed_nonoise": (None, None),
    "resnet50_simclrv2": (None, None),
    "vit_base_patch16_224.mae_in1k": HALF,
    "vit_base_patch16_224.augreg_in1k": HALF,
    "vit_base_patch16_224.sam_in1k": HALF,
    "vit_base_patch32_224.augreg_in1k": HALF,
    "resnetv2_50x1_bit_distilled": HALF,
}
MISSING, MISSHAPEN = "layer3.2.bn1.running_var", "layer1.0.conv2.weight"


def named(specs):
    return [pytest.param(spec, id=spec.name) for spec in specs]


@pytest.fixture(autouse=True)
def empty_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture(scope="session")
def network():
    from torchvision.models import resnet50

    return drawn(resnet50(weights=None), seed=1)


@pytest.fixture(scope="session")
def hollow(network):
    """The same keys, shapes and types, all zero, in a few bytes: enough to be refused."""
    return {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in network.state_dict().items()}


@pytest.fixture
def place(monkeypatch):
    """Writes the files of a model where the downloads of its first URIs lie: `place(spec, state)` returns their paths.

    No file of ours has a published digest, so `genuine` says that each has it; without that the digest counts.
    """
    made, specs = set(), []

    def put(spec, state, genuine=True):
        layout, paths = published(spec.name), []
        specs.append(spec)
        for alternatives, content in zip(downloads(spec), (layout.content, layout.head), strict=False):
            path = locate(spec, alternatives[0].uri)
            path.parent.mkdir(parents=True, exist_ok=True)
            layout.save(content(state), path)
            paths.append(path)
            made.add(path)
        if genuine:
            digests = {path: expected(one[0]) for path, one in zip(paths, downloads(spec), strict=True)}
            monkeypatch.setattr("harness.plugins.models._weights.sha256_of", lambda path: digests[path].ljust(64, "0"))
        return tuple(paths)

    yield put
    for path in made:
        path.unlink()
    if any(spec.source == "timm" for spec in specs):
        gc.collect()  # a refusal's traceback and its network, of 100 MB, refer to each other


def downloads(spec):
    return REGISTRY.source_for(spec).downloads(spec)


def expected(download):
    """The digest that a download must have, as far as the registry or the file's name tells it."""
    return (download.digest or "").removeprefix("sha256:")


def not_a_number(tensor, *_, **__):
    with torch.no_grad():
        return tensor.fill_(torch.nan)


def unchanged(tensor, *_, **__):
    return tensor


def load(spec, begin=not_a_number):
    """`begin` stands in for torch's initializers, which cost more than the load; with NaN, what is not loaded shows."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("kaiming_normal_", "kaiming_uniform_", "normal_", "trunc_normal_", "uniform_", "xavier_uniform_"):
            monkeypatch.setattr(torch.nn.init, name, begin)
        return REGISTRY.source_for(spec).load(spec)


def some_images(size):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@lru_cache(maxsize=8)
def logits_of(network, size, mean, std):
    """Of `some_images` with the study's normalization, by hand; the same for all models that share it."""
    images = some_images(size)
    if mean is not None:
        images = (images - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    return network(images)


def assert_equal(spec, network, size):
    loaded = load(spec)
    assert not loaded.training
    normalization = NORMALIZED_OTHERWISE.get(spec.name, IMAGENET)
    with torch.inference_mode():
        logits = loaded(some_images(size))
        assert torch.equal(logits, logits_of(network, size, *normalization))
    assert logits.shape == (2, 1000) and torch.isfinite(logits).all() and not torch.equal(logits[0], logits[1])


def refusal(spec):
    with pytest.raises(CheckpointError) as caught:
        load(spec, unchanged)
    assert "\n" not in str(caught.value) and f"model {spec.name!r}" in str(caught.value)
    return str(caught.value)


# --- what loads, and what does not -----------------------------------------------------------


FAMILIES = {published(spec.name): spec for spec in STUDY}
"""Layout of a file -> one of the models that have it."""
OTHERS_SLOW = [
    pytest.param(spec, id=spec.name, marks=[] if spec in FAMILIES.values() else pytest.mark.slow) for spec in STUDY
]


@pytest.mark.parametrize("spec", OTHERS_SLOW)
def test_published_layout_loads_bit_equal(spec, place, network):
    paths = place(spec, network.state_dict())
    assert tuple(REGISTRY.source_for(spec).files(spec)) == paths
    assert_equal(spec, network, 64)


@pytest.mark.parametrize("spec", OTHERS_SLOW)
def test_a_missing_key_and_a_wrong_shape_are_refused_by_name(spec, place, hollow):
    wrong = {key: value for key, value in hollow.items() if key != MISSING}
    wrong[MISSHAPEN] = torch.zeros(()).expand(64, 64, 1, 1)
    place(spec, wrong)
    message = refusal(spec)
    assert f"does not fit {spec.arch}: 1 keys missing ({MISSING}), 1 that differ: {MISSHAPEN} has shape" in message
    assert "(64, 64, 1, 1), the network needs (64, 64, 3, 3)" in message


@pytest.mark.parametrize("spec", named(FAMILIES.values()))
def test_one_mistake_alone_is_refused_by_name(spec, place, hollow):
    place(spec, {key: value for key, value in hollow.items() if key != MISSING})
    assert f"1 keys missing ({MISSING})" in refusal(spec)
    place(spec, {**hollow, MISSHAPEN: torch.zeros(()).expand(64, 64, 1, 1)})
    assert f"{spec.arch}: 1 that differ: {MISSHAPEN} has shape" in refusal(spec)
    place(spec, {**hollow, "layer5.weight": torch.zeros(1)})
    assert f"{spec.arch}: 1 unexpected (layer5.weight)" in refusal(spec)


@pytest.mark.parametrize("spec", named(one for one in NETTED if any(expected(many[0]) for many in downloads(one))))
def test_a_file_with_another_digest_is_refused(spec, place):
    place(spec, {"conv1.weight": torch.zeros(1)}, genuine=False)
    assert f"expected {expected(downloads(spec)[0][0])}. It is another file" in refusal(spec)


def test_a_classifier_of_another_backbone_is_refused(place, hollow):
    spec = REGISTRY.model("resnet50_dino")
    place(spec, {**hollow, "fc.weight": torch.zeros(()).expand(1000, 4096)})
    assert "fc.weight has shape (1000, 4096), the network needs (1000, 2048)" in refusal(spec)


def test_the_second_uri_of_a_model(network, monkeypatch):
    """timm's safetensors have no published digest; the release file, which comes second, has one in its name."""
    spec = REGISTRY.model("resnet50.d_in1k")
    first, second = downloads(spec)[0]
    assert (first.digest, second.digest) == (None, "sha256:f39db8af")
    path = locate(spec, second.uri)
    path.parent.mkdir(parents=True)
    torch.save(network.state_dict(), path)
    assert "expected f39db8af" in refusal(spec)
    monkeypatch.setattr("harness.plugins.models._weights.sha256_of", lambda path: "f39db8af".ljust(64, "0"))
    assert_equal(spec, network, 64)
    path.unlink()


@lru_cache(maxsize=1)
def further_network(arch):
    if arch == "vit_b_16":
        from torchvision.models import vit_b_16

        return drawn(vit_b_16(weights=None), seed=2)
    import timm

    pooling = {"global_pool": "avg"} if arch == "mae" else {}
    name = "vit_base_patch16_224" if arch == "mae" else arch.removeprefix("timm:").partition(".")[0]
    gain = 0.5 if name.startswith("lambda") else 2  # products of activations would overflow
    return drawn(timm.create_model(name, pretrained=False, **pooling), seed=2, gain=gain)


@pytest.mark.slow
@pytest.mark.parametrize("spec", named(FURTHER))
def test_further_model_loads_bit_equal(spec, place):
    network = further_network("mae" if "mae" in spec.name else spec.arch)
    place(spec, network.state_dict())
    assert_equal(spec, network, 224)


def test_mae_is_another_network_than_the_other_transformers(place):
    """Its norm stands behind the pooling: the option is not a matter of taste."""
    spec = REGISTRY.model("vit_base_patch16_224.mae_in1k")
    state = further_network("mae").state_dict()
    place(spec, {key: torch.zeros(()).expand(value.shape) for key, value in state.items()})
    message = refusal(replace(spec, options={}))
    assert "2 keys missing (norm.weight, norm.bias), 2 unexpected (fc_norm.weight, fc_norm.bias)" in message
    load(spec)


def test_the_documented_entry_with_a_head_loads(tmp_path, network):
    """docs/add-a-checkpoint.md, from a file to the network."""
    ((_, text),) = blocks(built_in_registry().parent / "docs" / "add-a-checkpoint.md", "yaml")
    (tmp_path / "my.yaml").write_text(text)
    spec = load_registry([tmp_path / "my.yaml"], REGISTRY.plugins).model("my-probe")
    state = network.state_dict()
    encoder = {f"encoder.{key}": value for key, value in state.items() if not key.startswith("fc.")}
    torch.save({"state_dict": {**encoder, "projector.0.weight": torch.zeros(2)}}, tmp_path / "my_backbone.pth")
    head = {"linear.weight": state["fc.weight"], "linear.bias": state["fc.bias"]}
    torch.save({"model": head}, tmp_path / "my_classifier.pth")
    assert_equal(spec, network, 64)
    for file in tmp_path.glob("*.pth"):
        file.unlink()


def test_untrained_network_is_always_the_same():
    spec = REGISTRY.model("resnet50_untrained")
    first, second = (REGISTRY.source_for(spec).load(spec).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert downloads(spec) == REGISTRY.source_for(spec).files(spec) == ()


# --- what is registered ----------------------------------------------------------------------


def test_groups_are_those_of_the_study_in_its_order(real):
    groups = json.loads((real / "paper" / "r50_categories.json").read_text())
    registered = {group: [spec.name for spec in STUDY if spec.group == group] for group in groups}
    assert registered == groups and list(registered) == list(dict.fromkeys(spec.group for spec in STUDY))
    assert len(STUDY) == 48 == len({spec.name for spec in STUDY})


def test_groups_are_those_of_the_imported_table():
    registered = {group: {spec.name for spec in STUDY if spec.group == group} for group in paper.GROUPS}
    assert registered == {group: set(names) for group, names in paper.GROUPS.items()}


def test_every_row_of_the_published_table_with_a_file_is_registered(real):
    rows = {row.name for row in paper.Paper().read(real / "paper" / "benchmark.csv").models}
    without = {f"resnet50_{name}" for name in ("lpmix", "freqmix", "diffusionnoise", "diffusionnoise_fixed")}
    further = {spec.name for spec in FURTHER} | {"resnet50_untrained"}
    assert rows == {spec.name for spec in STUDY} | further | without | {"vonenet_resnet50"}


def test_accuracies_in_the_notes_are_the_published_ones(real):
    for row in paper.Paper().read(real / "paper" / "benchmark.csv").models:
        if row.name in REGISTRY.models:
            told = REGISTRY.models[row.name].notes.partition(" % in the study")[0]
            assert float(told) == pytest.approx(100 * row.measures["top1@imagenet"].value, abs=5e-4), row.name


@pytest.mark.parametrize("spec", named([*STUDY, *FURTHER]))
def test_entry_says_where_it_comes_from(spec):
    assert spec.title and spec.license and ("arXiv" in spec.citation)
    assert (spec.mean, spec.std) == NORMALIZED_OTHERWISE.get(spec.name, IMAGENET)
    assert (spec.label_space, spec.outputs) == ("imagenet-1k", 1000)


@pytest.mark.parametrize("spec", named(NETTED))
def test_every_download_is_found_afterwards(spec):
    source, needed = REGISTRY.source_for(spec), downloads(spec)
    head = [spec.recipe.head] if spec.recipe.head else []
    assert len(needed) == 1 + len(head) and all(needed)
    for number, alternatives in enumerate(needed):
        others = [locate(spec, many[0].uri) for many in needed if many is not alternatives]
        for one in alternatives:
            path = locate(spec, one.uri)
            for file in (*others, path):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
            assert source.files(spec)[number] == path
            path.unlink()
    if head:
        names = {locate(spec, many[0].uri) for many in needed}
        assert len(names) == 2, "one download would overwrite the other"


@pytest.mark.parametrize("spec", named(NETTED))
def test_a_pin_is_for_one_file_only(spec):
    """`sha256` and `bytes` count for whichever file is found, so all its URIs must lead to the same one."""
    names = {PurePosixPath(one.uri.partition("?")[0].replace(":", "/")).name for one in downloads(spec)[0]}
    if spec.sha256 or spec.bytes:
        assert len(names) == 1
        assert all(digest_in_name(uri) is None for uri in spec.weights)


def test_the_one_published_digest():
    (pinned,) = (spec for spec in NETTED if spec.sha256)
    assert pinned.name == "robust_resnet50_linf_eps4.0" and len(pinned.sha256) == 64
    assert [(one.bytes, one.digest) for one in downloads(pinned)[0]] == [(204_818_947, f"sha256:{pinned.sha256}")] * 2


def test_timm_publishes_the_same_under_the_same_tag():
    import timm

    for spec in (one for one in NETTED if one.source == "timm"):
        published_as = timm.get_pretrained_cfg(spec.arch)
        assert spec.weights[0] == f"timm:{spec.arch}" and REGISTRY.model(spec.arch) is spec
        assert (published_as.mean, published_as.std) == (spec.mean, spec.std)
        assert published_as.license in (None, spec.license.lower())  # timm 1.0.15 does not say
        if len(spec.weights) == 2:
            assert PurePosixPath(published_as.url).name == PurePosixPath(spec.weights[1]).name


def test_torchvision_publishes_the_same_under_its_alias():
    from torchvision.models import get_weight

    specs = [spec for spec in NETTED if spec.source == "torchvision"]
    assert [(get_weight(spec.aliases[-1]).url,) for spec in specs] == [spec.weights for spec in specs]


def test_names_of_the_studys_code_are_aliases():
    assert REGISTRY.model("resnet50_diffusionnoise_nonoise").name == "resnet50_diffusionnoise_fixed_nonoise"
    assert REGISTRY.model("resnet50.tv_in1k").name == "tv_resnet50"
    assert REGISTRY.model("resnet50.tv2_in1k").name == "tv2_resnet50"


# --- suites ----------------------------------------------------------------------------------

TASKS = """accuracy@imagenet accuracy@imagenet-v2 accuracy@imagenet-real accuracy@imagenet-a accuracy@imagenet-c
accuracy@imagenet-cbar accuracy@imagenet-sketch accuracy@imagenet-r accuracy@stylized shape-bias@cue-conflict
band-pass@imagenet critical-band@imagenet pgd@imagenet""".split()


@pytest.mark.parametrize("name", ["paper", "paper-extended"])
def test_suite_defines_what_the_imported_table_defines(name):
    suite = REGISTRY.suite(name, check=False)
    assert suite.biases == paper.BIASES and suite.axes == paper.AXES
    assert [task.name for task in suite.tasks] == TASKS and not suite.preprocessing


def test_models_of_the_suites():
    extended = [
        *STUDY,
        *(spec for spec in REGISTRY.models.values() if spec in FURTHER or spec.name.endswith("untrained")),
    ]
    for name, specs in (("paper", STUDY), ("paper-extended", extended)):
        patterns = REGISTRY.suite(name, check=False).models
        assert sorted(patterns) == sorted(spec.name for spec in specs)
        assert len(REGISTRY.models_matching(patterns)) == len(patterns)
    assert REGISTRY.suite("paper", check=False).models == tuple(spec.name for spec in STUDY)
