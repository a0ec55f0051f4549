"""A run in memory, as report plugins read it."""

from hashlib import sha256

import numpy as np

from harness import TaskLayout, Trials


class Reader:
    """Trials in memory: (task, model) -> trials, or the error that reading them raises."""

    def __init__(self, trials):
        self.trials = trials

    def cells(self):
        tasks = dict.fromkeys(task for task, _ in self.trials)
        return {task: [model for other, model in self.trials if other == task] for task in tasks}

    def read(self, task, model):
        if isinstance(self.trials[task, model], Exception):
            raise self.trials[task, model]
        return self.trials[task, model]

    def digest(self, task, model):
        trials = self.read(task, model)
        parts = (trials.layout.task.encode(), *(name.encode() for name in trials.layout.sample_ids))
        return sha256(b"\0".join([*parts, trials.top5.tobytes(), trials.correct.tobytes()])).hexdigest()


def two_class_trials(task, correct, **attributes):
    """(n,) truth values: every image is of class 0, a wrong answer is of class 1."""
    n = len(correct)
    layout = TaskLayout(
        task=task,
        sample_ids=tuple(f"image-{number:04d}" for number in range(n)),
        targets=np.zeros((n, 1), np.int16),
        conditions=("clean",),
        classes=("cat", "dog"),
        size=8,
        span=16,
        attributes={name: tuple(map(str, values)) for name, values in attributes.items()},
    )
    top5 = np.full((n, 1, 5), -1, np.int16)
    top5[:, 0, 0] = ~correct
    return Trials(model="", layout=layout, top5=top5, logp=top5.astype(np.float16), correct=correct[:, None])
