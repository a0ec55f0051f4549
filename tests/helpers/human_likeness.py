"""Tiny tables in the layout of paulgavrikov/adversarial_training_vs_humans."""

import csv
import io

from harness.plugins.datasets._model_vs_human import EXPERIMENTS
from tests.helpers.hostile_archives import member, tar

SETS = [name for name, facts in EXPERIMENTS.items() if len(facts.conditions) > 1]
ACCURACY, CONSISTENCY = "OOD accuracy", "error-consistency"
OBSERVERS = ("resnet50_l2_eps0", "resnet50_linf_eps0_5", "resnet18_l2_eps0_01", "humans")
HEADER = ("", "subj", "condition", "yvalue", "decision-maker-ID", "colour")
AS_PUBLISHED = {"true": "True", "false": "False", "3": "3.0", "1": "1.0"}
"""Spellings of some conditions of some sets."""


def accuracy(observer, name, place):
    """A whole number of images; people are means over several persons, and need not be one."""
    images = EXPERIMENTS[name].images // len(EXPERIMENTS[name].conditions)
    right = images // 2 + 7 * OBSERVERS.index(observer) + len(name) - place
    return (right + (0.25 if observer == "humans" else 0)) / images


def consistency(observer, name, place):
    return 0.1 * OBSERVERS.index(observer) - 0.05 * place + len(name) / 100


def rows_of(name, value, observers=OBSERVERS):
    """(observer, condition, number) of one file."""
    conditions = EXPERIMENTS[name].conditions
    return [[who, of, repr(value(who, name, at))] for who in observers for at, of in enumerate(conditions)]


def text_of(rows, header=HEADER):
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    spelt = [(who, AS_PUBLISHED.get(condition, condition), value) for who, condition, value in rows]
    writer.writerows((at, *row, row[0], "") for at, row in enumerate(spelt))
    return out.getvalue()


def tables(changed=None, observers=OBSERVERS):
    """File name -> text, of all 24 files and the two that name no set; `changed`: file name -> other rows or text."""
    texts = {
        f"{name}_{kind}.csv": text_of(rows_of(name, value, observers))
        for kind, value in ((ACCURACY, accuracy), (CONSISTENCY, consistency))
        for name in SETS
    }
    texts |= {f"{kind}.csv": texts[f"uniform-noise_{kind}.csv"] for kind in (ACCURACY, CONSISTENCY)}
    return texts | {name: text if isinstance(text, str) else text_of(text) for name, text in (changed or {}).items()}


def archive(texts, folder="raw-results/"):
    """The bytes of a tar of these files."""
    return tar(*(member(f"{folder}{name}", text.encode()) for name, text in texts.items()))


def write_folder(folder, texts):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
    return folder
