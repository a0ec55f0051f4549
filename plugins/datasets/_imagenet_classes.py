"""The 1,000 classes of ImageNet in the order of every checkpoint here: by sorted wnid (WordNet id, ``n01440764``).

Read from the files inside the installed timm, which is found without being imported. (The ILSVRC devkit numbers the
classes differently; its ids are not used anywhere.)
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from harness import DatasetError

WNID = re.compile(r"n\d{8}")


@lru_cache(maxsize=1)
def wnids() -> tuple[str, ...]:
    """The 1,000 wnids, sorted; position = logit column. Raises DatasetError if timm's list is not what it should be."""
    path = _timm_file("imagenet_synsets.txt")
    listed = tuple(path.read_text(encoding="utf-8").split())
    if len(set(listed)) != 1000 or list(listed) != sorted(listed) or not all(map(WNID.fullmatch, listed)):
        raise DatasetError(f"{path} is not the sorted list of the 1,000 ImageNet wnids. Type: pip install --force timm")
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
        raise DatasetError(f"{path} names no lemma for {missing[0]}. Type: pip install --force timm")
    names = [lemmas[wnid] for wnid in wnids()]
    return tuple(
        f"{name} ({wnid})" if names.count(name) > 1 else name for name, wnid in zip(names, wnids(), strict=True)
    )


def _timm_file(name: str) -> Path:
    """A file of ``timm/data/_info``. Raises DatasetError if there is none."""
    found = find_spec("timm")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder, "data", "_info", name)
        if path.is_file():
            return path
    raise DatasetError(
        f"the list of ImageNet classes ({name}) is part of timm, which is missing. Type: pip install timm"
    )
