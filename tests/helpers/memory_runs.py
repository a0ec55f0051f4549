"""A run in memory, as report plugins read it."""

from hashlib import sha256


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
