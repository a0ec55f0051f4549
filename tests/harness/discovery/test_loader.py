"""Plugins are found through one door, and one that fails is named with its reason and stops no other."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import PluginError, Probe, RequestError, UnknownNameError
from harness.discovery import loader as manager
from harness.discovery.loader import Duplicate, load_plugins
from harness.names import NAME

PROBE = """
from dataclasses import dataclass
from typing import ClassVar
from harness import Probe, hookimpl

@dataclass(frozen=True, kw_only=True)
class Same(Probe):
    name: ClassVar[str] = "same"
    strength: float = 1.0

    def conditions(self, size):
        return ("clean",)

    def stimuli(self, batch):
        yield "clean", batch.images

    def measures(self, trials):
        return ()

@hookimpl
def harness_probes():
    return [Same()]
"""


@pytest.fixture
def folder(tmp_path):
    """Writes plugin files, each a text and replacements in it; returns the folder."""

    def write(**files):
        for stem, text in files.items():
            (tmp_path / f"{stem}.py").write_text(text)
        return tmp_path

    return write


def load(*folders):
    return load_plugins(folders, entry_points=False)


def broken_by(folder, text):
    """The one-line reason of a folder's only plugin."""
    plugins = load(folder(bad=text, good=PROBE))
    assert "same" in plugins.probes, "a broken plugin must not stop another"
    (broken,) = plugins.broken
    assert broken.provider == str(folder() / "bad.py")
    assert "\n" not in broken.error
    assert broken.traceback.startswith("Traceback")
    return broken.error


# --- found -----------------------------------------------------------------------------------


def test_built_ins_are_whole():
    plugins = load()
    assert plugins.broken == () and plugins.duplicates == ()
    assert {"accuracy", "band-pass"} <= plugins.probes.keys()
    assert {"imagenet", "sample-photos"} <= plugins.datasets.keys()
    assert plugins.providers["probe", "band-pass"] == "harness.plugins.probes.band_pass"
    assert all(provider.startswith("harness.plugins.") for provider in plugins.providers.values())


def test_every_public_built_in_module_is_loaded():
    found = {provider.replace("harness.plugins.", "") for provider in load().providers.values()}
    files = {f"{room}.{file.stem}" for room in manager.ROOMS for file in plugin_files(room)}
    assert found == files


def plugin_files(room):
    package = __import__(f"{manager.BUILT_INS}.{room}", fromlist=["__path__"])
    places = [manager.Path(root) for root in package.__path__]
    packages = [file.parent for root in places for file in root.glob("[!_]*/__init__.py")]
    return [*packages, *(file for root in places for file in root.glob("[!_]*.py"))]


def test_directory(folder):
    plugins = load(folder(same=PROBE))
    assert isinstance(plugins.probe("same"), Probe)
    assert plugins.providers["probe", "same"] == str(folder() / "same.py")


def test_directory_given_twice_counts_once(folder, monkeypatch):
    monkeypatch.chdir(folder(same=PROBE).parent)
    assert load(folder(), manager.Path(folder().name)).duplicates == ()


def test_helpers_and_tests_in_a_directory_are_no_plugins(folder):
    raising = "raise RuntimeError"
    plugins = load(folder(same=PROBE, _help=raising, test_same=raising, same_test=raising, conftest=raising))
    assert plugins.broken == ()


def test_sibling_by_relative_import(folder):
    plugins = load(
        folder(
            _strong="STRENGTH = 3.0",
            same=PROBE.replace("= 1.0", "= STRENGTH\n").replace(
                "from dataclasses", "from ._strong import STRENGTH\nfrom dataclasses", 1
            ),
        )
    )
    assert plugins.probe("same").strength == 3.0


def test_instances_of_a_directory_pickle(folder):
    probe = load(folder(same=PROBE)).probe("same")
    assert pickle.loads(pickle.dumps(probe)) == probe


def test_two_directories_may_have_files_of_one_name(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "same.py").write_text(PROBE.replace('"same"', '"other"'))
    plugins = load(folder(same=PROBE), other)
    assert {"same", "other"} <= plugins.probes.keys()
    assert plugins.broken == ()


def test_a_changed_file_is_read_again(folder):
    load(folder(same=PROBE))
    assert load(folder(same=PROBE.replace("= 1.0", "= 22.0"))).probe("same").strength == 22.0


def test_an_edit_of_the_same_second_and_size_runs(folder, monkeypatch):
    """Python itself would run the bytecode of the file as it was: numbers of one code under the digest of another."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for strength in ("1.0", "2.0"):
        place = folder(
            same=PROBE.replace("= 1.0", "= _sibling.STRENGTH").replace("from d", "from . import _sibling\nfrom d", 1)
        )
        (place / "_sibling.py").write_text(f"STRENGTH = {strength}\n")
        for file in place.glob("*.py"):
            os.utime(file, (1_700_000_000, 1_700_000_000))
        assert load(place).probe("same").strength == float(strength)
    assert not list(place.rglob("*.pyc"))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path / "none", "does not exist"),
        (lambda path: path, "no plugin there"),
        (lambda path: path / "a.py", "is a file; give its folder"),
    ],
)
def test_folder_that_cannot_serve(tmp_path, make, says):
    if make(tmp_path).suffix:
        make(tmp_path).write_text(PROBE)
    with pytest.raises(RequestError, match=says):
        load(make(tmp_path))


def test_installed_packages(monkeypatch):
    module = SimpleNamespace(probes=[])
    dist = SimpleNamespace(name="harness-x", version="1.0")
    entries = [SimpleNamespace(name="x", value="x.y", dist=dist, load=lambda: module)]
    monkeypatch.setattr(manager.metadata, "entry_points", lambda group: entries if group == "harness" else [])
    (broken,) = load_plugins().broken
    assert broken.provider == "harness-x 1.0 (x.y)"
    assert broken.error.startswith("offers nothing")
    assert load_plugins(entry_points=False).broken == ()


def test_loading_imports_no_heavy_library():
    script = (
        "import sys; from harness import load_plugins; plugins = load_plugins(entry_points=False); "
        "assert plugins.probes and not plugins.broken, plugins.broken; "
        "print([m for m in ('torch', 'torchvision', 'timm', 'foolbox', 'h5py', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- broken ----------------------------------------------------------------------------------

HOOK = "from harness import hookimpl\n@hookimpl\n"
CASES = {
    "syntax": ("def", "SyntaxError: invalid syntax (bad.py, line 1)"),
    "import": ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
    "exception": ("1 / 0", "ZeroDivisionError: division by zero"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "misspelt": (HOOK + "def harness_probe(): return", "unknown hook 'harness_probe'; did you mean 'harness_probes'"),
    "far off": (
        HOOK + "def xyz(): return []",
        "unknown hook 'xyz'; available: harness_model_sources, harness_datasets",
    ),
    "argument": (HOOK + "def harness_probes(config): return []", "Argument(s) {'config'} are declared in the hookimpl"),
    "no mark": ("def harness_probes(): return []", "harness_probes() has no @hookimpl above it"),
    "no hook": ("A = 1", "offers nothing: no function is marked with @hookimpl"),
    "hook raises": (HOOK + "def harness_probes(): return [{}['x']]", "KeyError: 'x'"),
    "none": (HOOK + "def harness_probes(): pass", "harness_probes() returned None; expected a list of harness.Probe"),
    "no list": (HOOK + "def harness_probes(): return ()", "harness_probes() returned tuple ()"),
    "wrong kind": (HOOK + "def harness_reports(): return [3]", "list with int 3; expected instances of harness.Report"),
    "class": (PROBE.replace("Same()]", "Same]"), "expected instances of harness.Probe; write Same()"),
    "abstract": (PROBE.replace("measures", "numbers"), "Can't instantiate abstract class Same"),
    "nameless": (PROBE.replace("name:", "title:"), "probe Same has no name"),
    "bad name": (PROBE.replace('"same"', '"Same Thing"'), "probe Same is called 'Same Thing'; a name has lower-case"),
    "path name": (PROBE.replace('"same"', '"a/b"'), "probe Same is called 'a/b'"),
    "field name": (PROBE.replace("name: ClassVar[str]", "name: str"), "name and version are not parameters"),
    "no dataclass": (
        PROBE.replace("@dataclass(frozen=True, kw_only=True)", ""),
        "probe Same is not a frozen dataclass",
    ),
    "thawed": (PROBE.replace("frozen=True, ", ""), "TypeError: cannot inherit non-frozen dataclass from a frozen one"),
    "mutable": (PROBE.replace("float = 1.0", "object = field(default_factory=list)").replace(
        "import dataclass", "import dataclass, field"), "has a parameter that is not plain and immutable"),
    "not json": (PROBE.replace("= 1.0", '= float("nan")'), "has a parameter that is not plain and immutable"),
    "requires": (PROBE.replace("strength: float = 1.0", 'requires = "accuracy"'), "requires is 'accuracy'; expected"),
    "labels": (PROBE.replace("strength: float = 1.0", "needs_labels = 1"), "needs_labels is 1; expected True or False"),
    "logits": (PROBE.replace("strength: float = 1.0", "needs_logits = ()"), "needs_logits is (); expected True or"),
    "divided": (PROBE.replace("strength: float = 1.0", 'denominators = ("top1",)'), "denominators is ('top1',); expec"),
    "divided by": (PROBE.replace("strength: float = 1.0", 'denominators = {"top1": 2}'), "denominators is {'top1': 2}"),
    "side": (PROBE.replace("strength: float", "side: float"), "side is 1.0, but it is a method of every probe; rename"),
    "layers": (PROBE.replace("strength: float = 1.0", 'layers: str = "head"'), "layers is 'head'; expected a tuple"),
    "two kinds": (PROBE.replace("(Probe)", "(FeatureProbe, WhiteBoxProbe)").replace(
        "import Probe", "import FeatureProbe, WhiteBoxProbe").replace("def measures", "attacks = observer = None\n\n"
        "    def measures"), "is a WhiteBoxProbe and a FeatureProbe; make two probes of it"),
    "version": (PROBE.replace("strength: float = 1.0", 'version = "1"'), "version is '1'; expected an integer"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_broken(folder, case):
    text, reason = CASES[case]
    assert reason in broken_by(folder, text)


def test_a_plugin_that_breaks_late_offers_nothing(folder):
    second = HOOK + "def harness_reports(): return [3]"
    plugins = load(folder(bad=PROBE + second))
    assert "same" not in plugins.probes
    assert len(plugins.broken) == 1


def test_file_name_with_a_dot(tmp_path):
    (tmp_path / "my.probe.py").write_text(PROBE)
    (broken,) = load(tmp_path).broken
    assert "a module's name has no dot" in broken.error


# --- looked up -------------------------------------------------------------------------------


def test_duplicate_name_is_withheld_and_names_both(folder):
    plugins = load(folder(a=PROBE, b=PROBE))
    first, second = str(folder() / "a.py"), str(folder() / "b.py")
    assert plugins.duplicates == (Duplicate("probe", "same", (first, second)),)
    assert "same" not in plugins.probes and ("probe", "same") not in plugins.providers
    with pytest.raises(PluginError, match=r"probe 'same' is offered by .*a\.py and by .*b\.py; neither is used"):
        plugins.probe("same")


def test_a_built_in_cannot_be_replaced(folder):
    plugins = load(folder(mine=PROBE.replace('"same"', '"accuracy"')))
    with pytest.raises(PluginError, match=r"harness\.plugins\.probes\.accuracy and by .*mine\.py"):
        plugins.probe("accuracy")


def test_one_name_for_two_kinds_is_no_duplicate(folder):
    assert load(folder(a=PROBE.replace('"same"', '"imagenet"'))).duplicates == ()


@pytest.mark.parametrize("kind", ["model_source", "dataset", "probe", "report", "importer"])
def test_unknown_name(kind):
    with pytest.raises(UnknownNameError, match=f"unknown {kind.replace('_', ' ')} 'nothing'.*See: harness list"):
        getattr(load(), kind)("nothing")


def test_unknown_name_suspects_the_broken(folder):
    plugins = load(folder(bad="1 / 0"))
    with pytest.raises(UnknownNameError) as caught:
        plugins.probe("acuracy")
    assert "did you mean 'accuracy'?" in str(caught.value)
    reason = f"{folder() / 'bad.py'}: ZeroDivisionError: division by zero"
    assert f"1 plugin is broken and might have provided it: {reason}; see harness list plugins" in str(caught.value)


def test_plugins_are_read_only():
    plugins = load()
    with pytest.raises(TypeError):
        plugins.probes["x"] = None
    with pytest.raises(AttributeError):
        plugins.broken = ()


@pytest.mark.parametrize("name", ["a", "0", "band-pass", "imagenet-v2", "a.b_c+d"])
def test_good_names(name):
    assert NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", "A", ".a", "-a", "a b", "a/b", "a\\b", "a..b", "..", "a@b", "a\n", "é"])
def test_bad_names(name):
    assert not NAME.fullmatch(name)


def test_a_plugin_that_changes_the_working_folder_when_it_is_imported_is_broken(tmp_path):
    before = Path.cwd()
    (tmp_path / "wanders.py").write_text(
        "import os\nfrom harness import hookimpl\nos.chdir('/')\n@hookimpl\ndef harness_probes():\n    return []\n"
    )
    (broken,) = load_plugins([tmp_path], entry_points=False).broken
    assert "the working folder (os.chdir) changed while it was imported" in broken.error
    assert Path.cwd() == before
