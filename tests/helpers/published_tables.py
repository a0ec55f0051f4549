"""Tiny tables in the layouts of published ones: ImageNet-X, the ImageNet testbed, timm's results."""

import csv
import gzip

from harness.plugins.importers.imagenet_testbed import IMAGES as OF_SETTING
from harness.plugins.importers.imagenet_testbed import OF_CORRUPTION
from harness.plugins.importers.imagenet_x import IMAGES, MULTI, TOP

NETWORKS = tuple(f"network-{number}" for number in range(12))
FACTOR_TABLE = "top-imagenet_testbed-class.csv.gz"
TESTBED_TABLE = "testbed_robustness_top1s.csv.gz"
TIMM_TABLE = "results-imagenet.csv"
_SHUFFLED = (5, 0, 9, 3, 11, 7, 1, 8, 2, 10, 4, 6)


def factor_row(name, at=0, of=TOP, **cells):
    """A network whose accuracy rises with `at`; each factor has a whole number of images."""
    right = {factor: int(n * (0.2 + 0.05 * at)) // 2 + (at * index) % 3 for index, (factor, n) in enumerate(of.items())}
    values = {factor: right[factor] / n for factor, n in of.items()}
    average = int(IMAGES * (0.4 + 0.03 * at)) / IMAGES
    row = {"model": name, **values, "worst_factor": min(values.values()), "average": average}
    return {**row, "worst_100_classes": 0.1, **cells}


def shift_row(name, at=0, settings=("imagenet-sketch", "imagenet-vid-robust_pm10"), **cells):
    """Percentages that rise with `at` on ImageNet and its second version, and less regularly in other settings."""
    clean = {"val": 40 + 2 * at, "imagenetv2-matched-frequency-format-val": 35 + 2 * at}
    others = {}
    for number, setting in enumerate(settings):
        n = OF_CORRUPTION if setting.startswith("imagenet-c.") else OF_SETTING.get(setting, 100)
        others[setting] = 100 * (n // 5 + n // 25 * _SHUFFLED[(at + number) % 12]) / n
    return {"model": name, **clean, **others, **cells}


def timm_row(name, at=0, **cells):
    top1, top5 = 60 + at, 80 + at
    row = {"model": name, "top1": f"{top1:.3f}", "top1_err": f"{100 - top1:.3f}", "top5": f"{top5:.3f}"}
    more = {"param_count": "1,014.45", "img_size": "224", "crop_pct": "0.875", "interpolation": "bicubic"}
    return {**row, "top5_err": f"{100 - top5:.3f}", **more, **cells}


def write_table(path, rows, columns=None):
    """Write `rows` to a CSV file, compressed if it ends in ``.gz``; `columns`: another header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns or list(rows[0]))
        writer.writerows(list(row.values()) for row in rows)
    return path


def write_studies(folder):
    """The three tables of docs/imported-studies.md, with twelve networks each, of which the first two share names."""
    write_table(folder / FACTOR_TABLE, [factor_row(name, at) for at, name in enumerate(NETWORKS)])
    write_table(folder / TESTBED_TABLE, [shift_row(name, at) for at, name in enumerate(NETWORKS)])
    write_table(folder / TIMM_TABLE, [timm_row(name, at) for at, name in enumerate(NETWORKS)])


__all__ = ["MULTI", "TOP", "factor_row", "shift_row", "timm_row", "write_studies", "write_table"]
