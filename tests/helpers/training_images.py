"""Training images of the zoo, of which few are drawn."""

from pathlib import Path

import numpy as np

from harness.plugins.models._zoo.training import pictures

DRAWN = 160
"""Images that are drawn of each file; a file has 1,000."""


def fill_cache(folder: Path, *names: str) -> Path:
    """Files of the training sets `names` and of the validation set, as the trainer keeps them in `folder`.

    But they repeat their first `DRAWN` images instead of the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, split in (*((name, "training") for name in names), ("shapes", "validation")):
        drawn = np.stack([pictures._picture(name, split, index) for index in range(DRAWN)])
        np.save(pictures.part(name, split, 0, folder), np.resize(drawn, (pictures.PART, *drawn.shape[1:])))
    return folder
