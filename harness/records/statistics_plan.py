"""What a suite or a published table declares of the statistics over its models, before anybody has seen numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsPlan:
    """Choices that a report makes as they were declared, or not at all.

    Attributes:
        log: biases whose natural logarithm predicts, in the learner ``ols-log``.
        set_apart: the group that tables show beside all other models.
        controls: biases or axes that partial correlations hold constant.
        baseline_models: names or globs of the models that effective robustness is measured from.
        alternatives: bias or axis -> name of an alternative -> full names of the measures whose mean it then is.
    """

    log: tuple[str, ...] = ()
    set_apart: str | None = None
    controls: tuple[str, ...] = ()
    baseline_models: tuple[str, ...] = ()
    alternatives: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> StatisticsPlan:
        """The plan in a JSON object, in which any key may be absent. Raises TypeError, ValueError or AttributeError."""
        alternatives = document.get("alternatives", {})
        return cls(
            log=tuple(document.get("log", ())),
            set_apart=document.get("set_apart"),
            controls=tuple(document.get("controls", ())),
            baseline_models=tuple(document.get("baseline_models", ())),
            alternatives={
                name: {title: tuple(parts) for title, parts in choices.items()}
                for name, choices in alternatives.items()
            },
        )

    def document(self) -> dict[str, Any]:
        """The plan as a JSON object without what is not declared; empty if nothing is."""
        declared = {
            "log": list(self.log),
            "set_apart": self.set_apart,
            "controls": list(self.controls),
            "baseline_models": list(self.baseline_models),
            "alternatives": {
                name: {title: list(parts) for title, parts in choices.items()}
                for name, choices in self.alternatives.items()
            },
        }
        return {key: value for key, value in declared.items() if value}

    def completed(self, other: StatisticsPlan) -> tuple[StatisticsPlan, tuple[str, ...]]:
        """This plan with what only `other` declares, and the names of the fields that the two declare differently."""
        own, more = ({key: value for key, value in _declared(plan).items() if value} for plan in (self, other))
        unlike = tuple(key for key in own if key in more and own[key] != more[key])
        return StatisticsPlan(**{**more, **own}), unlike


def _declared(plan: StatisticsPlan) -> dict[str, Any]:
    return {each.name: getattr(plan, each.name) for each in fields(plan)}
