"""What a report writes for papers and notebooks: tidy tables, a CSV file for each table, LaTeX, and what is refused."""

import csv
import io
import json
import re
import shutil

import pandas as pd
import pytest

from harness import ImportedModel, ImportedTable, Measure, open_study
from harness.store import store_table
from tests.helpers.command import completed
from tests.helpers.hostile_runs import WRITERS
from tests.helpers.hostile_texts import inert, inert_csv, inert_latex, marked
from tests.helpers.store_writer import COMMAND


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with ``table``, six imported models with a bias and an axis, of which the last lacks the bias."""
    models = []
    for at in range(6):
        measures = {
            "edge@a": Measure(name="edge", value=at / 7, low=at / 9, n=12),
            "top1@a/low-pass-0.1": Measure(
                name="top1", value=(at * 5 % 6) / 10, condition="low-pass-0.1", flags=("f",)
            ),
        }
        missing = {"edge@a": "not in the table"} if at == 5 else {}
        kept = {name: measure for name, measure in measures.items() if name not in missing}
        models.append(ImportedModel(name=f"m{at}", group="g", measures=kept, missing=missing))
    axes = {"ID": ("top1@a/low-pass-0.1",)}
    table = ImportedTable(
        title="T", source="s", license="CC0", models=tuple(models), biases={"edge": ("edge@a",)}, axes=axes
    )
    place = tmp_path_factory.mktemp("report-files")
    store_table(place / "table", table, source_sha256="0" * 64, command=COMMAND)
    return place


@pytest.fixture
def report(folder):
    """Runs ``harness report table`` in `folder`: gives stdout of a command that succeeds without a word on stderr."""

    def call(*words, code=0):
        done = completed(["report", "table", *words], folder)
        assert (done.returncode, done.stderr) == (code, ""), done.stderr
        return done.stdout

    return call


# --- tidy -------------------------------------------------------------------------------------


def test_tidy_is_the_measures_of_the_study(report, folder):
    written = report("--format", "tidy")
    assert report("--format", "tidy", "-o", "x.csv") == report("--format", "tidy", "-o", "x.parquet") == ""
    assert (folder / "x.csv").read_text() == written
    measures = open_study(folder / "table").measures()
    for table in (pd.read_csv(folder / "x.csv"), pd.read_parquet(folder / "x.parquet")):
        assert table["value"].tolist() == pytest.approx(measures["value"].tolist(), rel=0, abs=0, nan_ok=True)
        assert table["measure"].tolist() == measures["measure"].tolist()


def test_the_matrix_of_a_tidy_file_has_the_numbers_of_the_json(report, folder):
    data = json.loads(report("--format", "json"))
    report("--format", "tidy", "-o", "x.csv")
    matrix = pd.read_csv(folder / "x.csv").pivot(index="model", columns="measure", values="value")
    for model in data["models"]:
        numbers = {**model["measures"], **model["biases"], **model["axes"]}
        of_matrix = matrix.loc[model["name"]].dropna().to_dict()
        assert of_matrix == {name: value for name, value in numbers.items() if value is not None}


def test_tidy_keeps_the_order_of_the_report(report):
    rows = list(csv.DictReader(io.StringIO(report("--format", "tidy", "--sort", "edge"))))
    assert list(dict.fromkeys(row["model"] for row in rows)) == ["m4", "m3", "m2", "m1", "m0", "m5"]


def test_runs_with_labels_stand_side_by_side_in_a_tidy_file(folder, tmp_path):
    shutil.copytree(folder / "table", tmp_path / "copy")
    words = ["report", f"ann={folder / 'table'}", "bob=copy", "--format", "tidy", "-o", "x.parquet"]
    done = completed(words, tmp_path)
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(tmp_path / "x.parquet")
    matrix = table.pivot(index="plain_name", columns=["run", "measure"], values="value")
    assert matrix["ann"].equals(matrix["bob"]) and len(matrix) == 6
    assert len(table.pivot(index="model", columns="measure", values="value")) == 12


# --- a file for each table --------------------------------------------------------------------


def test_each_table_has_a_file_of_its_own(report, folder):
    blocks = report("--format", "csv").split("\n\n")
    assert report("--format", "csv", "-o", "tables/") == ""
    files = sorted((folder / "tables").iterdir())
    assert sorted(file.read_text().strip() for file in files) == sorted(block.strip() for block in blocks)
    assert "models.csv" in {file.name for file in files}
    assert len(pd.read_csv(folder / "tables" / "models.csv", comment="#")) == 6
    before = {file.name: file.read_bytes() for file in files}
    report("--format", "csv", "-o", "tables")  # it is a folder now
    assert {file.name: file.read_bytes() for file in (folder / "tables").iterdir()} == before


def test_a_comparison_has_a_file_for_each_table(folder):
    words = ["compare", "table", "--against", "table", "--format", "csv", "-o", "compared/"]
    assert completed(words, folder).returncode == 0
    assert len(pd.read_csv(next((folder / "compared").glob("*.csv")), comment="#")) > 0


# --- figures ----------------------------------------------------------------------------------


def test_every_figure_is_drawn_into_a_folder(report, folder):
    pytest.importorskip("matplotlib", reason="the extra `figures` is not installed")
    names = [line.split()[0] for line in report("--figure", "list").splitlines()]
    assert names == ["scatter-edge-ID", "matrix"]
    assert report("--figure", "all", "-o", "figures/", "--width", "column") == ""
    assert report("--figure", "scatter-edge-ID", "-o", "drawn/", "--format", "png") == ""
    assert report("--figure", "scatter-edge-ID", "-o", "one.pdf", "--width", "3.25", "--format", "pdf") == ""
    assert {file.name for file in (folder / "figures").iterdir()} == {"scatter-edge-ID.pdf", "matrix.pdf"}
    assert [file.name for file in (folder / "drawn").iterdir()] == ["scatter-edge-ID.png"]
    assert (folder / "figures" / "scatter-edge-ID.pdf").read_bytes() == (folder / "one.pdf").read_bytes()
    assert (folder / "one.pdf").read_bytes().startswith(b"%PDF")


def test_all_figures_on_the_terminal_and_as_json(report):
    assert report("--figure", "all") == "\n".join(report("--figure", name) for name in ("scatter-edge-ID", "matrix"))
    assert report("--figure", "all", "--format", "json") == report("--figure", "list", "--format", "json")


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--format tidy --report prediction", ("the measures of the study", "'prediction'", "--format csv")),
        ("--format tidy -o x.json", (".csv or .parquet", "x.json")),
        ("--format tidy -o new/", ("new is a folder", "-o FILE")),
        ("--format html -o new/", ("--format html is one file", "new")),
        ("--format csv -o x.parquet", ("no Parquet file", "--format tidy")),
        ("--format csv -o table/", ("-o table is the run folder", "-o table-tables/")),
        ("--format csv -o table/new/", ("lies in the run folder",)),
        ("--format csv -o absent/new/", ("cannot write absent/new", "No such file")),
        ("-o report.html", ("--format terminal is no .html file", "--format html")),
        ("--format latex -o x.csv", ("--format latex is no .csv file", "--format csv")),
        ("-o x.pdf", ("no picture", "--figure NAME -o x.pdf")),
        ("--figure all -o new --format pdf", ("--format pdf", "-o new/")),
        ("--figure all --format pdf", ("not printed", "-o FOLDER/")),
        ("--figure scatter-edge-ID -o x.svg --format pdf", ("one file x.svg", "-o x.pdf")),
        ("--figure list --format pdf", ("the list of figures is text", "--figure all -o FOLDER/")),
        ("--report dataset-bias --figure all -o new/", ("no figure", "--format csv")),
        ("--format tdiy", ("unknown value of --format 'tdiy'", "tidy")),
    ],
)
def test_what_does_not_go_together_is_one_line(folder, options, words):
    before = sorted(folder.rglob("*"))
    done = completed(["report", "table", *options.split()], folder)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert sorted(folder.rglob("*")) == before


def test_a_comparison_goes_into_a_paper(folder):
    done = completed(["compare", "table", "--against", "table", "--format", "latex"], folder)
    assert (done.returncode, done.stderr) == (0, "") and r"\label{tab:" in done.stdout
    inert_latex(done.stdout)


def test_a_comparison_is_not_tidy(folder):
    done = completed(["compare", "table", "--against", "table", "--format", "tidy"], folder)
    assert (done.returncode, done.stdout) == (2, "") and "unknown value of --format 'tidy'" in done.stderr


# --- texts from strangers ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """A folder with every run of `WRITERS`."""
    place = tmp_path_factory.mktemp("strange")
    for name, write in WRITERS.items():
        write(place / name)
    return place


@pytest.mark.parametrize("run", WRITERS)
def test_hostile_tidy_report(strange, run):
    done = completed(["report", run, "--format", "tidy"], strange)
    assert (done.returncode, done.stderr) == (0, "")
    inert_csv(done.stdout)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == len(done.stdout.splitlines()) - 1 == len(open_study(strange / run).measures())


def test_hostile_names_of_figures_in_files(strange, monkeypatch):
    from harness.output import drawing

    monkeypatch.setattr(drawing, "to_image", lambda figure, kind, width: b"drawn")
    done = completed(["report", "biases", "--figure", "all", "-o", "figures/", "--format", "svg"], strange)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = [file.name for file in (strange / "figures").iterdir()]
    assert len(names) >= len(marked(""))
    assert all(re.fullmatch(r"scatter-[A-Za-z0-9._+-]*\.svg|[a-z0-9-]+\.svg", name) for name in names), names


@pytest.mark.parametrize("run", WRITERS)
def test_hostile_tables_in_files(strange, run):
    done = completed(["report", run, "--format", "csv", "-o", f"{run}-tables/"], strange)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for file in (strange / f"{run}-tables").iterdir():
        inert(file.name)
        inert_csv(file.read_text())
