"""Votes in the published layout: ``raters.npz`` of given answers, and the published ones where they are."""

from __future__ import annotations

import numpy as np

NAME = "ILSVRC2012_val_{:08}.JPEG"


def arrays_of(votes, raters=7):
    """`votes`: (number of the image, class, (no, maybe, yes)) of each pair -> the arrays of ``raters.npz``."""
    tensor = np.zeros((raters, len(votes), 3))
    for pair, (_, _, answers) in enumerate(votes):
        asked = [(pair + place) % raters for place in range(sum(answers))]
        tensor[asked, pair, np.repeat(np.arange(3), answers)] = 1
    info = np.array([(NAME.format(image), str(label)) for image, label, _ in votes]).reshape(len(votes), 2)
    return {"tensor": tensor, "info": info, "ids": np.arange(100, 100 + raters)}


def write_raters(folder, votes, **arrays):
    """``raters.npz`` in `folder`, with other `arrays` in the place of its own; None: without that one."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: array for name, array in {**arrays_of(votes), **arrays}.items() if array is not None}
    np.savez_compressed(folder / "raters.npz", **kept)
    return folder / "raters.npz"


def published_votes(real):
    """The 184,962 published pairs as (images, labels, answers): (P,), (P,), (P, 3)."""
    with np.load(real / "more" / "real_rater_votes.npz") as votes:
        return votes["image"], votes["label"], np.stack([votes["no"], votes["maybe"], votes["yes"]], axis=1)


def write_published(path, real, raters=5):
    """The published votes in the layout of ``raters.npz``, by `raters` people who answer the pairs in turn."""
    images, labels, answers = published_votes(real)
    pairs = np.arange(len(images))
    tensor = np.zeros((raters, len(images), 3))
    given = np.repeat(np.tile(np.arange(3), len(images)), answers.ravel())
    tensor[((pairs[:, None] + np.arange(5)) % raters).ravel(), np.repeat(pairs, 5), given] = 1
    info = np.array([(NAME.format(image), str(label)) for image, label in zip(images, labels, strict=True)])
    np.savez_compressed(path, tensor=tensor, info=info, ids=np.arange(raters))
    return path
