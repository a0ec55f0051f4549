"""The 1,000 classes of ImageNet in the order of every checkpoint here: sorted by wnid (WordNet id, ``n01440764``).

Also the 200-class subsets of ImageNet-A and -R, and the ReaL labels. All are read from data files of the installed
timm, without importing it; lists with a published digest are checked against it. (The ILSVRC devkit numbers the classes
differently; its ids are not used.)
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from harness import DatasetError

WNID = re.compile(r"n\d{8}")
VALIDATION_IMAGES = 50_000
_SUBSETS = {
    "a": "e81223a35add6e78f9afe6f215652c1926ebefe1d8efc26c6e923d7ac9143937",
    "r": "91e09d2ff0a002104bc0d37a892a7e75ffc2cc0db47b2b506047a3493b9116d2",
}
_REAL = "d83e9bff374c631aae8439eb064c7019acc56e1b3bc3f56b8380c2a710b0220b"


@lru_cache(maxsize=1)
def wnids() -> tuple[str, ...]:
    """The 1,000 wnids, sorted; position = logit column. Raises DatasetError if timm's list is not the expected one."""
    path = _timm_file("imagenet_synsets.txt")
    listed = tuple(path.read_text(encoding="utf-8").split())
    if len(set(listed)) != 1000 or list(listed) != sorted(listed) or not all(map(WNID.fullmatch, listed)):
        raise DatasetError(
            f"{path} is not the sorted list of the 1,000 ImageNet wnids", remedy="pip install --force timm"
        )
    return listed


@lru_cache(maxsize=1)
def indices() -> dict[str, int]:
    """wnid -> logit column. Do not change the returned dict."""
    return {wnid: index for index, wnid in enumerate(wnids())}


@lru_cache(maxsize=1)
def class_names() -> tuple[str, ...]:
    """The WordNet lemmas of the 1,000 classes; a name that two classes share (crane) is followed by the wnid."""
    path = _timm_file("imagenet_synset_to_lemma.txt")
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    lemmas = {row[0]: row[1] for row in rows if len(row) == 2}
    missing = [wnid for wnid in wnids() if wnid not in lemmas]
    if missing:
        raise DatasetError(f"{path} has no lemma for {missing[0]}", remedy="pip install --force timm")
    names = [lemmas[wnid] for wnid in wnids()]
    return tuple(
        f"{name} ({wnid})" if names.count(name) > 1 else name for name, wnid in zip(names, wnids(), strict=True)
    )


@lru_cache(maxsize=2)
def subset(letter: Literal["a", "r"]) -> tuple[int, ...]:
    """The 200 logit columns of ImageNet-A or -R, ascending. Raises DatasetError unless timm has the published list."""
    path = _timm_file(f"imagenet_{letter}_indices.txt")
    listed = path.read_text(encoding="utf-8").split()
    _check(path, "".join(f"{column}\n" for column in listed), _SUBSETS[letter], "the published list of 200 classes")
    return tuple(map(int, listed))


@lru_cache(maxsize=1)
def real_labels() -> tuple[tuple[int, ...], ...]:
    """The ReaL labels (Beyer et al. 2020, arXiv 2006.07159) of the 50,000 validation images, ordered by their numbers.

    Up to 9 classes for each image; none for 3,163 images. Raises DatasetError if timm's file is not the published one.
    """
    path = _timm_file("imagenet_real_labels.json")
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON ({error})", remedy="pip install --force timm") from error
    _check(path, json.dumps(listed), _REAL, "the published ReaL labels (real.json)")
    return tuple(tuple(labels) for labels in listed)


def _check(path: Path, text: str, sha256: str, description: str) -> None:
    if (digest := hashlib.sha256(text.encode()).hexdigest()) != sha256:
        raise DatasetError(
            f"{path} is not {description}: SHA-256 {digest[:8]}…, expected {sha256[:8]}…",
            remedy="pip install --force timm",
        )


def _timm_file(name: str) -> Path:
    """A file of ``timm/data/_info``. Raises DatasetError if there is none."""
    spec = find_spec("timm")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "data", "_info", name)
        if path.is_file():
            return path
    raise DatasetError(
        f"the list of ImageNet classes ({name}) is part of timm, which is missing", remedy="pip install timm"
    )
