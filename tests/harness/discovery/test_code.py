"""The digest of a plugin's code: the same for whatever alters no number, another for whatever may."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.discovery.code import _REDUCTIONS, read_code
from harness.discovery.loader import load_plugins
from harness.plugins import probes as built_in

HELPER = """
GAIN = 2.0

def scaled(images, gain=GAIN):
    '''Images times a gain.'''
    return (images * gain).clamp(0, 1)
"""
PROBE = '''
"""A probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness import Measure, Probe, hookimpl

from ._helper import scaled

CUTOFF = 0.25


@dataclass(frozen=True, kw_only=True)
class Sharp(Probe):
    """Sharpened images."""

    name: ClassVar[str] = "sharp"
    strength: float = 1.5

    def conditions(self, size: int) -> tuple[str, ...]:
        return ("clean", "sharp")

    def stimuli(self, batch):
        yield "clean", batch.images
        yield "sharp", self._sharpened(batch.images)

    def _sharpened(self, images, cutoff: float = CUTOFF):
        # A comment.
        return scaled(images + self.strength * cutoff)

    def measures(self, trials):
        """Accuracy."""
        yield Measure(name="m", value=trials.accuracy("sharp"))


@hookimpl
def harness_probes():
    return [Sharp()]
'''


@pytest.fixture
def digest(tmp_path):
    """Digest of the probe in the files with these replacements: ``digest({old: new}, helper={old: new})``."""
    counter = iter(range(1000))

    def of(probe=(), helper=(), folder=None):
        target = tmp_path / f"plugins-{next(counter)}" if folder is None else folder
        target.mkdir(exist_ok=True)
        for name, text, changes in (("sharp.py", PROBE, probe), ("_helper.py", HELPER, helper)):
            for old, new in dict(changes).items():
                assert old in text
                text = text.replace(old, new)
            (target / name).write_text(text)
        return load_plugins([target], entry_points=False).code("probe", "sharp")

    return of


@pytest.mark.parametrize(
    "change",
    [
        {"# A comment.": "# Another comment, and more of it."},
        {'"""A probe."""': '"""A better description."""'},
        {'"""Sharpened images."""': ""},
        {"size: int) -> tuple[str, ...]": "size)"},
        {"cutoff: float = CUTOFF": "cutoff = CUTOFF"},
        {'"clean", "sharp")': '"clean",\n        "sharp",\n    )'},
        {"CUTOFF = 0.25": "CUTOFF: float = 0.25"},
        {"CUTOFF = 0.25": "CUTOFF = (0.25)  # cycles per pixel"},
        {'trials.accuracy("sharp")': '1 - trials.accuracy("clean")'},
        {
            "def measures(self, trials)": "def measures(self, cell)",
            'trials.accuracy("sharp")': 'cell.accuracy("sharp")',
        },
        {"from __future__ import annotations\n": ""},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_alters_no_stimulus_leaves_the_digest(digest, change):
    assert digest(change) == digest()


def test_imports_for_annotations_leave_the_digest():
    before = b"import torch\nx = 1"
    after = b"import torch\nif TYPE_CHECKING:\n    from numpy import ndarray\nx = 1"
    assert read_code(before).digest == read_code(after).digest
    assert read_code(before).digest != read_code(after.replace(b"TYPE", b"not TYPE")).digest


@pytest.mark.parametrize(
    "change",
    [
        {"CUTOFF = 0.25": "CUTOFF = 0.26"},
        {"CUTOFF = 0.25": "CUTOFF = -0.25"},
        {"strength * cutoff": "strength / cutoff"},
        {"images + self": "images - self"},
        {"cutoff: float = CUTOFF": "cutoff: float = 0.1"},
        {"strength: float = 1.5": "strength: float = 1.25"},
        {"strength: float = 1.5": "strength: ClassVar[float] = 1.5"},
        {'"sharp")': '"sharper")', 'yield "sharp"': 'yield "sharper"'},
        {"return scaled(": "return 1 - scaled("},
        {"def measures(": "def effort(self):\n        return 2\n\n    def measures("},
    ],
    ids=lambda change: " ".join(next(iter(change.items()))),
)
def test_what_may_alter_a_stimulus_changes_the_digest(digest, change):
    assert digest(change) != digest()


@pytest.mark.parametrize("change", [{"GAIN = 2.0": "GAIN = 2"}, {"gain=GAIN": "gain=3.0"}, {"images * gain": "images"}])
def test_a_changed_helper_changes_the_digest(digest, change):
    assert digest(helper=change) != digest()
    assert digest(helper={"'''Images times a gain.'''": ""}) == digest()


def test_the_folder_of_the_plugins_does_not_matter(digest, tmp_path):
    assert digest() == digest(folder=tmp_path / "elsewhere")


def test_an_edit_in_a_running_process_counts_from_the_next_load_on(tmp_path, digest):
    folder = tmp_path / "edited"
    before = digest(folder=folder)
    plugins = load_plugins([folder], entry_points=False)
    assert plugins.code("probe", "sharp") == before
    (folder / "_helper.py").write_text(HELPER.replace("2.0", "4.5"))
    assert plugins.code("probe", "sharp") == before, "the code in memory makes the numbers, not the file"
    assert load_plugins([folder], entry_points=False).code("probe", "sharp") != before


def test_helpers_are_followed_into_functions_and_packages_of_ones_own(tmp_path, monkeypatch):
    """A helper of a helper, imported inside a function, in a package that lies beside the plugins."""
    (tmp_path / "ownnets" / "deep").mkdir(parents=True)
    (tmp_path / "ownnets" / "__init__.py").write_text("")
    (tmp_path / "ownnets" / "deep" / "widths.py").write_text("WIDTH = 3\n")
    (tmp_path / "ownnets" / "resnet.py").write_text("from .deep import widths\n")
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "_helper.py").write_text(HELPER)
    text = PROBE.replace("# A comment.", "import ownnets.resnet")
    (plugins / "sharp.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def digest():
        return load_plugins([plugins], entry_points=False).code("probe", "sharp")

    before = digest()
    (tmp_path / "ownnets" / "deep" / "widths.py").write_text("WIDTH = 4\n")
    assert digest() != before
    (tmp_path / "ownnets" / "deep" / "widths.py").write_text("WIDTH = 3  # again\n")
    assert digest() == before
    assert "ownnets" not in sys.modules, "nothing of it is imported to compute the digest"


def test_an_installed_package_counts_with_its_own_helpers(tmp_path, monkeypatch):
    """Its modules lie in a folder of installed packages, of which nothing else is followed."""
    from types import SimpleNamespace

    from harness.discovery import loader

    site = tmp_path / "site-packages"
    (site / "labprobes").mkdir(parents=True)
    (site / "labprobes" / "__init__.py").write_text(PROBE)
    (site / "labprobes" / "_helper.py").write_text("import otherlab\n" + HELPER)
    (site / "otherlab.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(site)
    dist = SimpleNamespace(name="lab-probes", version="1.0")

    def digest():
        for name in [name for name in sys.modules if name.startswith(("labprobes", "otherlab"))]:
            monkeypatch.delitem(sys.modules, name)
        entry = SimpleNamespace(name="x", value="labprobes", dist=dist, load=lambda: __import__("labprobes"))
        monkeypatch.setattr(loader.metadata, "entry_points", lambda group: [entry])
        return load_plugins().code("probe", "sharp")

    before = digest()
    (site / "otherlab.py").write_text("x = 2  # another installed package\n")
    assert digest() == before
    (site / "labprobes" / "_helper.py").write_text("import otherlab\n" + HELPER.replace("2.0", "3.25"))
    assert before is not None and digest() != before


def test_built_in_plugins_have_no_digest_and_installed_packages_are_not_followed(digest):
    plugins = load_plugins(entry_points=False)
    for kind, names in (
        ("probe", plugins.probes),
        ("dataset", plugins.datasets),
        ("model source", plugins.model_sources),
    ):
        assert names and all(plugins.code(kind, name) is None for name in names)
    assert digest({"from dataclasses": "import numpy\nimport torch\nfrom dataclasses"}) != digest()
    assert plugins.code("probe", "no-such-probe") is None
    assert built_in.__name__ == "harness.plugins.probes"


def test_a_class_of_a_built_in_plugin_counts_with_its_version(tmp_path, monkeypatch):
    (tmp_path / "sharp.py").write_text(
        "from dataclasses import dataclass\nfrom typing import ClassVar\nfrom harness import hookimpl\n"
        "from harness.plugins.probes.accuracy import Accuracy\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Mine(Accuracy):\n    name: ClassVar[str] = 'sharp'\n"
        "    version: ClassVar[int] = 7\n@hookimpl\ndef harness_probes():\n    return [Mine()]\n"
    )
    from harness.plugins.probes.accuracy import Accuracy

    plugins = load_plugins([tmp_path], entry_points=False)
    before = plugins.code("probe", "sharp")
    monkeypatch.setattr(Accuracy, "version", Accuracy.version + 1)
    assert plugins.code("probe", "sharp") != before


# --- properties over the code of this repository ---------------------------------------------

SOURCES = sorted(Path(built_in.__file__).parent.glob("[a-z_]*.py"))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SOURCES), st.randoms(use_true_random=False))
def test_formatting_comments_and_docstrings_of_any_file_leave_its_digest(source, chance):
    """`ast.unparse` writes another layout without comments; docstrings and blank lines come on top."""
    code = source.read_text()
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and chance.random() < 0.5:
            node.body = [ast.Expr(ast.Constant("Words.")), *node.body]
    written = ast.unparse(ast.fix_missing_locations(tree)).replace("\n", "\n" * chance.choice([1, 1, 2]))
    assert read_code(written.encode()).digest == read_code(code.encode()).digest


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(SOURCES), st.randoms(use_true_random=False))
def test_any_other_number_or_operator_of_any_file_changes_its_digest(source, chance):
    tree = ast.parse(source.read_text())
    reductions = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name in _REDUCTIONS
        for inner in ast.walk(node)
    }
    annotations = {
        inner
        for node in ast.walk(tree)
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if hint is not None
        for inner in ast.walk(hint)
    }
    sites = [
        node
        for node in ast.walk(tree)
        if node not in reductions | annotations
        and (isinstance(node, ast.BinOp) or (isinstance(node, ast.Constant) and type(node.value) in (int, float)))
    ]
    if not sites:
        return
    site = chance.choice(sites)
    if isinstance(site, ast.BinOp):
        site.op = ast.Sub() if isinstance(site.op, ast.Add) else ast.Add()
    else:
        site.value = site.value + 1
    changed = ast.unparse(ast.fix_missing_locations(tree))
    assert read_code(changed.encode()).digest != read_code(source.read_bytes()).digest


def test_code_of_any_depth_has_a_digest():
    terms = " + ".join(["1"] * 2000)
    assert read_code(f"x = {terms}".encode()).digest != read_code(f"x = {terms} + 1".encode()).digest


def test_what_is_not_python_counts_with_its_bytes():
    assert read_code(b"\x00\x01").digest != read_code(b"\x00\x02").digest
    assert read_code(b"def").imports == ()


def test_the_digest_is_the_same_in_another_process(digest, tmp_path):
    """It depends neither on the hash seed nor on what has been imported before."""
    folder = tmp_path / "shared"
    before = digest(folder=folder)
    script = (
        "import sys; from pathlib import Path; from harness.discovery.loader import load_plugins\n"
        "print(load_plugins([Path(sys.argv[1])], entry_points=False).code('probe', 'sharp'))"
    )
    done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == before
