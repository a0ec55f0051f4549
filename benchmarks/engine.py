"""The whole harness against a bare loop that forwards the same number of ready tensors.

Both send every stimulus of band-pass, critical band and accuracy (52 conditions) through EfficientNet-Lite0 at 224
pixels. The bare loop has its tensors in memory and keeps nothing; the harness decodes, makes stimuli, decides, and
stores every trial. They take turns in one process, so that a machine that changes its speed slows both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from harness.data.roots import DataRoots
from harness.discovery.loader import load_plugins
from harness.engine.networks import load_first
from harness.planning.request import RunRequest, select
from harness.registry import load_registry
from harness.store import RunWriter
from harness.workflows.execution import compute, plan_run

MODEL = "efficientnet-lite0"
TASKS = ("accuracy@photos", "band-pass@photos", "critical-band@photos")
BATCH = 32


class _Quiet:
    """Nobody watches; a warning would mean that the two did not do the same work."""

    def begin(self, title: str, images: int, forwards: int) -> None:
        """A pass starts."""

    def advance(self, images: int, forwards: int) -> None:
        """So many more are done."""

    def warn(self, message: str) -> None:
        """Something failed."""
        raise RuntimeError(message)


def measure(rounds: int = 3, images: int = 2 * BATCH) -> dict[str, float]:
    """Seconds of both over `rounds` turns of `images` photographs each, their ratio, and the store's share.

    Returns:
        ``ratio``: bare seconds / harness seconds (1: the harness costs nothing); ``store_share``: seconds inside the
        store / harness seconds; ``forwards_per_second``: of the harness; and both times in seconds.
    """
    spent = {"bare": 0.0, "harness": 0.0, "store": 0.0}
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        plugins = load_plugins()
        registry = load_registry([_photos(base, images)], plugins)
        request = RunRequest(tasks=TASKS, models=(MODEL,), batch_size=BATCH, data=DataRoots(base))
        selection = select(request, registry)
        plan = plan_run(request, selection, base / "run", "cpu")
        networks = load_first(plan, {spec.name: spec for spec in selection.models}, selection.sources)
        networks[MODEL].to(memory_format=torch.channels_last)  # as the harness has it: the networks must be the same
        bare = _bare_loop(networks[MODEL])
        bare(4)  # warm-up: allocator, kernels, caches
        for turn in range(rounds):
            with _timed(spent, "bare"):
                bare(plan.forwards // BATCH)
            with RunWriter.create(base / f"run{turn}", settings=asdict(plan.settings), command=["benchmark"]) as run:
                _time_store(run, spent)
                with _timed(spent, "harness"):
                    compute(
                        run,
                        plan,
                        selection,
                        networks,
                        device=torch.device("cpu"),
                        workers=2,
                        progress=_Quiet(),
                        command=["benchmark"],
                    )
    return {
        "ratio": spent["bare"] / spent["harness"],
        "store_share": spent["store"] / spent["harness"],
        "forwards_per_second": rounds * plan.forwards / spent["harness"],
        "harness_seconds": spent["harness"],
        "bare_seconds": spent["bare"],
    }


@contextmanager
def _timed(spent: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        spent[name] += time.perf_counter() - start


def _bare_loop(network: torch.nn.Module) -> Callable[[int], None]:
    """Forwards of one batch that is ready."""
    ready = torch.rand(BATCH, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    def forward(batches: int) -> None:
        for _ in range(batches):
            network(ready)

    return forward


def _time_store(run: RunWriter, spent: dict[str, float]) -> None:
    """Add the time that is spent inside the store, in whichever thread."""

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            with _timed(spent, "store"):
                return method(*given, **named)

        return call

    for name in ("put_layout", "begin", "commit", "finish", "publish"):
        setattr(run, name, timed(getattr(run, name)))


def _photos(base: Path, images: int) -> Path:
    """A ``<wnid>/`` tree with `images` links to the 20 sample photographs, and a registry that names it."""
    from importlib.util import find_spec

    import numpy as np
    from PIL import Image

    folder = base / "photos" / "n01440764"
    folder.mkdir(parents=True)
    spec = find_spec("foolbox")
    photos = sorted(Path(next(iter(spec.submodule_search_locations or ()))).glob("data/imagenet_*.jpg")) if spec else []
    rng = np.random.default_rng(0)
    for number in range(images):
        target = folder / f"{number:04d}.jpg"
        if photos:
            target.symlink_to(photos[number % len(photos)])
        else:
            Image.fromarray(rng.integers(0, 256, (375, 500, 3), dtype=np.uint8)).save(target, quality=90)
    registry = base / "registry.yaml"
    registry.write_text("datasets:\n  photos: {plugin: imagenet, path: photos}\n")
    return registry
