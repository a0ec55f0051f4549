"""The code that made the trials of a study: whoever mixes two codes under one version is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.identity import equal_codes
from harness.records import Job, Remark, labelled_name
from harness.study.rows import short_list


class CodesOfStudy:
    """Collects the code of one cell after another.

    Args:
        labels: run -> its label, if it has one.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self.same: set[tuple[str, str]] = set()
        """Pairs of digests that give the same numbers, as users have said (``--same-numbers``)."""
        self._models: dict[tuple[str, str, int], dict[str, list[str]]] = {}

    def add(self, job: Job, run: str) -> None:
        """Note the code of one cell of `run`.

        Plugins without a digest have none, for lack of a record or being built in.
        """
        model = labelled_name(job.model, self._labels.get(run))
        for kind, (name, version) in job.identity.makers.items():
            by_code = self._models.setdefault((kind, name, version), {})
            by_code.setdefault(job.code.get(kind, ""), []).append(model)

    def remarks(self) -> Iterator[Remark]:
        """One remark for each plugin whose trials were made by different codes under one version."""
        for (kind, name, version), by_code in self._models.items():
            groups: dict[frozenset[str], list[str]] = {}
            for code, models in by_code.items():
                groups.setdefault(equal_codes(code, self.same), []).extend(models)
            if len(groups) > 1:
                yield Remark("comparability", f"{kind} {name}", _text(version, groups))


def _text(version: int, groups: dict[frozenset[str], list[str]]) -> str:
    sides = []
    for codes, models in groups.items():
        names = short_list(list(dict.fromkeys(models)))
        sides.append(f"{names} (code not recorded)" if "" in codes else names)
    return f"different code under version {version}: {' / '.join(sides)}; their numbers may not be comparable"
