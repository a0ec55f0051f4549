"""Kill real runs with SIGKILL at random moments, and prove that nothing committed is lost.

    python -m tests.helpers.kill_run 100

Every run is the real command in a process of its own (forked, so that torch and the harness are imported once): two
models, three tasks, one of which stores named arrays, many spans, consolidation, index. After each kill: every span
whose commit had returned is read back, from the shards and through ``index.h5`` with plain h5py, and compared with an
uninterrupted run; then the same command goes on where the killed one stopped. A run that completes must equal the
uninterrupted one bit for bit and pass `verify`.
"""

import contextlib
import importlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch

from harness import HarnessError, cli
from harness.store import RunReader, RunWriter, verify_run

CONFIG = """
models:
  a: {source: dummy, options: {kind: brightness}}
  b: {source: dummy, options: {kind: random-linear, seed: 1}}
datasets:
  small: {plugin: imagenet, path: val, resize: 32, size: 32}
"""
COMMAND = (
    "run --registry models.yaml --data . --device cpu --batch-size 8 --workers 1 "
    "--plugins probes --task band-pass@small --task quarters@small --models a b --out"
).split()
FIELDS = ("top5", "logp", "correct", "rank")
PROBE = '''
from dataclasses import dataclass
from typing import ClassVar

from harness import ArraySpec, Probe, accuracy_measures, hookimpl


@dataclass(frozen=True, kw_only=True)
class Quarters(Probe):
    """The image, with means and counts of its quarters. Made for this test."""

    name: ClassVar[str] = "quarters"

    def conditions(self, size):
        return ("clean", "dark")

    def arrays(self, size):
        return {"means": ArraySpec(shape=(3, 2, 2)), "bright": ArraySpec(dtype="int32")}

    def stimuli(self, batch):
        import torch

        for condition, factor in (("clean", 1), ("dark", 0.5)):
            stimulus = batch.images * factor
            means = torch.nn.functional.adaptive_avg_pool2d(stimulus, 2)
            bright = (stimulus > 0.25).flatten(1).sum(dim=1).int()
            yield condition, stimulus, {"means": means, "bright": bright}

    def measures(self, trials):
        return accuracy_measures(trials, "clean")


@hookimpl
def harness_probes():
    return [Quarters()]
'''


@dataclass
class Tally:
    """What happened."""

    kills: int = 0
    completed: int = 0
    acknowledged: int = 0
    lost: int = 0
    unreadable: int = 0
    different: int = 0
    problems: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing was lost."""
        return self.lost == self.unreadable == self.different == self.problems == 0


def start(out: Path, acknowledged: Path) -> int:
    """Fork a child that runs the command, noting each commit that returned; gives its process id."""
    child = os.fork()
    if child:
        return child
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        commit = RunWriter.commit

        def noted(run, job, span, block):
            commit(run, job, span, block)
            with acknowledged.open("a") as file:
                file.write(f"{job.task} {job.model} {span[0]} {span[1]}\n")

        RunWriter.commit = noted
        sys.argv = ["harness", *COMMAND, str(out)]
        cli.main()
        os._exit(99)
    except SystemExit as stop:
        os._exit(stop.code or 0)
    finally:
        os._exit(98)


def import_everything() -> None:
    """Import what the command needs, plugins and all, so that no child does it again."""
    importlib.import_module("harness.engine.execute")
    sys.argv = ["harness", *COMMAND, "unused", "--dry-run"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        cli.main()


def everything(out: Path) -> dict:
    """All trials of a finished run."""
    run = RunReader.open(out)
    return {place: _fields(run.read(*place)) for place in run.cells()}


def _fields(trials):
    decisions = {name: getattr(trials, name) for name in FIELDS}
    return {**decisions, **{f"arrays/{name}": trials.array(name) for name in trials.arrays}}


def check(out: Path, acknowledged: Path, reference: dict, tally: Tally) -> None:
    """Every acknowledged span is there, whole and equal to the reference."""
    if not acknowledged.exists():
        return
    with contextlib.ExitStack() as stack:
        try:
            index = stack.enter_context(h5py.File(out / "index.h5", "r", locking=False))
            cells = RunReader.open(out).cells()
        except (HarnessError, OSError, KeyError) as error:
            tally.unreadable += 1
            print("unreadable:", error)
            return
        for line in acknowledged.read_text().splitlines():
            task, model, low, high = line.split()
            rows = slice(int(low), int(high))
            tally.acknowledged += 1
            covered = any(a <= rows.start and rows.stop <= b for a, b in cells[task, model].spans)
            expected = reference[task, model]
            whole = all(index[task][model][name][rows].tobytes() == expected[name][rows].tobytes() for name in expected)
            tally.lost += not (covered and whole)


def same(one: dict, other: dict) -> bool:
    """Equal bit for bit."""
    return one.keys() == other.keys() and all(
        one[place].keys() == other[place].keys()
        and all(one[place][name].tobytes() == other[place][name].tobytes() for name in one[place])
        for place in one
    )


def campaign(kills: int, folder: Path, seed: int = 0) -> Tally:
    """Kill `kills` times below `folder`, which gets a data set, a reference run and the run that suffers."""
    torch.set_num_threads(1)  # forked children must not inherit a pool of threads that is gone
    rng, tally = random.Random(seed), Tally()
    before = Path.cwd()
    os.chdir(folder)
    try:
        write_images(folder / "val")
        (folder / "models.yaml").write_text(CONFIG)
        (folder / "probes").mkdir()
        (folder / "probes" / "quarters.py").write_text(PROBE)
        import_everything()
        began = time.monotonic()
        assert os.waitpid(start(folder / "reference", folder / "reference.txt"), 0)[1] == 0
        duration = time.monotonic() - began
        reference = everything(folder / "reference")
        assert {"arrays/means", "arrays/bright"} < reference["quarters@small", "a"].keys()
        out, acknowledged = folder / "run", folder / "acknowledged.txt"
        while tally.kills < kills:
            child = start(out, acknowledged)
            time.sleep(rng.uniform(0, duration))
            os.kill(child, signal.SIGKILL)
            code = os.waitpid(child, 0)[1]
            if code == 0:
                tally.completed += 1
                tally.different += not same(everything(out), reference)
                tally.problems += len(verify_run(RunReader.open(out)))
                shutil.rmtree(out)
                acknowledged.unlink()
                continue
            tally.kills += 1
            check(out, acknowledged, reference, tally)
        assert os.waitpid(start(out, acknowledged), 0)[1] == 0
        tally.completed += 1
        tally.different += not same(everything(out), reference)
        tally.problems += len(verify_run(RunReader.open(out)))
    finally:
        os.chdir(before)
    return tally


def write_images(folder: Path) -> None:
    """160 noisy JPEGs in four classes: 10 spans of 16."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for wnid in ("n01440764", "n01443537", "n01484850", "n01491361"):
        (folder / wnid).mkdir(parents=True)
        for number in range(40):
            Image.fromarray(rng.integers(0, 256, (64, 72, 3), dtype=np.uint8)).save(folder / wnid / f"{number}.JPEG")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        result = campaign(int(sys.argv[1]) if len(sys.argv) > 1 else 100, Path(scratch))
    print(result)
    sys.exit(not result.sound)
