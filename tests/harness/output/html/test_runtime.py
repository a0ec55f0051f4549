"""The program that draws charts: the same each time, kept under its digest, never one that was tampered with."""

from harness.local.cache import cache_dir
from harness.output.html.runtime import runtime


def test_it_is_made_once_kept_and_verified(monkeypatch):
    made = runtime()
    assert 400_000 < len(made) < 700_000 and "</script" not in made and "window.vega=" in made.replace(" ", "")
    read = runtime.__wrapped__
    monkeypatch.setattr("harness.output.html.runtime._made", lambda: "made again")
    monkeypatch.setattr("harness.output.html.runtime.version", lambda _: "0")
    assert read() == "made again"
    monkeypatch.setattr("harness.output.html.runtime._made", lambda: "made a third time")
    assert read() == "made again"
    (file,) = (cache_dir() / "vega").iterdir()
    file.write_bytes(file.read_bytes().replace(b"again", b"evil!"))
    assert read() == "made a third time"
