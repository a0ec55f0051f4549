"""A run in memory, as report plugins read it."""


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
