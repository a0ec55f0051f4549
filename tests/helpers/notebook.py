"""Cells in a fresh kernel of this interpreter."""

import nbformat
from nbclient import NotebookClient


def executed(cells, folder, monkeypatch):
    """The notebook of `cells` (source texts) after its execution in `folder`; a cell that raises fails the test."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(folder / ".jupyter"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    return client.execute()


def output(cell, kind):
    """The last output of a cell in one MIME type, such as ``text/html``."""
    shown = [one["data"][kind] for one in cell["outputs"] if kind in one.get("data", {})]
    assert shown, f"no {kind} in {cell['outputs']}"
    return shown[-1]
