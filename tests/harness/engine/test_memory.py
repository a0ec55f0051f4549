"""Memory does not grow with the number of images."""

import subprocess
import sys

PLUGIN = '''
from dataclasses import dataclass
import numpy as np
from PIL import Image
from harness import Dataset, LabelSpace, Preprocessing, Sample, hookimpl

@dataclass(frozen=True, kw_only=True)
class Synthetic(Dataset):
    """Noise made from the sample's number."""

    name: str = "synthetic"
    n: int = COUNT

    def root(self):
        from pathlib import Path
        return Path.cwd()

    def label_space(self):
        return LabelSpace(name="imagenet-1k", classes=tuple(map(str, range(1000))))

    def samples(self, root):
        return [Sample(id=f"{i:06d}", targets=(i % 1000,)) for i in range(self.n)]

    def image(self, sample):
        rng = np.random.default_rng(int(sample.id))
        return Image.fromarray(rng.integers(0, 256, (36, 36, 3), dtype=np.uint8))

@hookimpl
def harness_datasets():
    return [Synthetic(preprocessing=Preprocessing(resize=32, size=32))]
'''
MODELS = "models: {plain: {source: dummy, options: {kind: brightness}}}\n"
CODE = """
import os, resource, sys, harness.cli, torch
for images in sys.argv[1].split():
    child = os.fork()
    if not child:
        sys.argv = ["harness", *sys.argv[2:], "--plugins", f"plugins{images}", "--out", f"run{images}"]
        try:
            harness.cli.main()
        except SystemExit as stop:
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
            os._exit(stop.code or 0)
    assert os.waitpid(child, 0)[1] == 0
"""
"""Each run is a process of its own; both are copies of one that has imported torch."""


def peaks(folder, *counts):
    """Megabytes of each run."""
    for images in counts:
        plugins = folder / f"plugins{images}"
        plugins.mkdir()
        (plugins / "synthetic.py").write_text(PLUGIN.replace("COUNT", str(images)))
    (folder / "models.yaml").write_text(MODELS)
    command = "run --registry models.yaml --task accuracy@synthetic --models plain --device cpu --batch-size 32"
    done = subprocess.run(
        [sys.executable, "-c", CODE, " ".join(map(str, counts)), *command.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [int(line) / 1024 for line in done.stdout.split()]


def test_ten_thousand_images_need_no_more_memory_than_one_thousand(tmp_path):
    """At most 2.8 kB an image; decoded, one takes 4 kB, and 12 kB as a tensor."""
    few, many = peaks(tmp_path, 1_000, 10_000)
    print(f"peak RSS: {few:.0f} MB at 1,000 images, {many:.0f} MB at 10,000")
    assert many - few < 25
