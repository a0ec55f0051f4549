"""``python -m benchmarks``: every figure that the documentation states about speed, measured now on this machine."""

from __future__ import annotations

import argparse
import os

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import engine, stimuli

THREADS = 2


def main() -> None:
    """Measure, print one table with targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns of 64 photographs each (default 3)")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(THREADS)
    console = Console(width=80, highlight=False)
    console.print(f"{os.cpu_count()} CPUs, {THREADS} threads, torch {torch.__version__}")
    with torch.inference_mode():
        whole = engine.measure(rounds)
    made = stimuli.measure()
    table = Table(title="Measured side by side in this run", title_justify="left", box=None, pad_edge=False)
    for heading, justify in (("what", "left"), ("measured", "right"), ("target", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_row("bare forward loop / harness, EfficientNet-Lite0", f"{whole['ratio']:.3f}", "≥ 0.90")
    table.add_row("store's share of the run", f"{whole['store_share']:.2%}", "≤ 1 %")
    table.add_row("harness, forwards a second", f"{whole['forwards_per_second']:.0f}", "")
    table.add_row("band-pass stimuli / per-image FFT", f"{made['band_pass_ratio']:.1f}×", "≥ 4×")
    table.add_row("critical-band stimuli / per-image pyrtools", f"{made['critical_band_ratio']:.1f}×", "≥ 30×")
    console.print(table)


if __name__ == "__main__":
    main()
