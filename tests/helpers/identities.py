"""A complete identity as the planner stores it, and its leaves."""

import json
from copy import deepcopy

from harness.identity import leaves
from harness.records import Identity
from harness.study.protocols import Origin

DOCUMENT = {
    "model": {
        "name": "m",
        "source": "checkpoint",
        "source_version": 1,
        "arch": "timm:resnet50",
        "recipe": {"wrapper_keys": ["state_dict"], "head": None, "match": "name"},
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "options": {"kind": "plain"},
        "label_space": "imagenet-1k",
        "outputs": 1000,
        "checkpoint": ["3f" * 32],
    },
    "probe": {"name": "accuracy", "version": 1, "params": {"cutoffs": [0.1, 0.2], "bias_cutoffs": [0.1]}},
    "dataset": {
        "name": "photos",
        "preprocessing": {"resize": 256, "size": 224},
        "corruptions": ["fog", "snow"],
        "version": 1,
        "n": 48,
        "manifest": "aa" * 32,
    },
    "layout": {"conditions": ["clean"], "span": 16, "label_space": "bb" * 32},
    "settings": {
        "seed": 0,
        "limit": None,
        "precision": "fp32",
        "device_type": "cpu",
        "batch_size": 32,
        "store": "top5",
    },
    "engine": 1,
    "versions": {"torch": "2.1", "timm": "1.0"},
}
PATHS = tuple(leaves(DOCUMENT))


def identity(**changes):
    """The identity with other values, by dotted path (``**{"probe.version": 2}``)."""
    document = deepcopy(DOCUMENT)
    for path, value in changes.items():
        *sections, name = path.split(".")
        section = document
        for part in sections:
            section = section.setdefault(part, {})
        section[name] = value
    return Identity(json.loads(json.dumps(document)))


def origin(task="accuracy@photos", required=None, machine=None, **changes):
    """The origin of a measure of `task`, whose cell has `identity(**changes)`."""
    return Origin(task=task, identity=identity(**changes), required=required or {}, machine=machine or {})


def other(value):
    """A value of the same kind that differs."""
    if isinstance(value, list):
        return [*value[:-1], other(value[-1])]
    if isinstance(value, str):
        return f"{value[:-1]}~" if len(value) > 1 else f"{value}~"
    return 7 if value is None else value + 1
