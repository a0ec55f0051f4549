"""What a suite or a published table declares of the statistics over its models, before anybody has seen numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Final

_LARGEST: Final = 1e18


def is_setting(value: object) -> bool:
    """Whether `value` may be that of a hyperparameter: a text, or a finite number that any file can hold."""
    return isinstance(value, str) or (isinstance(value, int | float) and abs(value) < _LARGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsPlan:
    """Choices that a report makes as they were declared, or not at all.

    Attributes:
        log: biases whose natural logarithm predicts, in the learner ``ols-log``.
        set_apart: the group that tables show beside all other models.
        controls: biases or axes that partial correlations hold constant.
        baseline_models: names or globs of the models that effective robustness is measured from.
        alternatives: bias or axis -> name of an alternative -> full names of the measures whose mean it then is.
        hyperparameters: name or glob of models -> hyperparameter -> its value, a text or a number. Of several that fit
            a model, the later ones hold.
    """

    log: tuple[str, ...] = ()
    set_apart: str | None = None
    controls: tuple[str, ...] = ()
    baseline_models: tuple[str, ...] = ()
    alternatives: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    hyperparameters: Mapping[str, Mapping[str, str | float]] = field(default_factory=dict)

    AS_DEFINED: ClassVar[str] = "as defined"
    """What reports call the definition of a bias or axis itself; no alternative has this name."""

    def hyperparameters_of(self, model: str) -> dict[str, str | float]:
        """Those of one model; empty if none are declared of it. A name with brackets is no glob for itself."""
        declared = self.hyperparameters.items()
        fitting = [values for pattern, values in declared if model == pattern or fnmatchcase(model, pattern)]
        return {name: value for values in fitting for name, value in values.items()}

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
            hyperparameters={name: dict(values) for name, values in document.get("hyperparameters", {}).items()},
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
            "hyperparameters": {name: dict(values) for name, values in self.hyperparameters.items()},
        }
        return {key: value for key, value in declared.items() if value}

    def mistake(self) -> str:
        """The field that is no declaration at all, what it is and what is expected; empty if there is none.

        For plans made by a plugin, which no file was checked for.
        """
        for key in ("log", "controls", "baseline_models"):
            if not _are_names(getattr(self, key)):
                return f"{key} is {getattr(self, key)!r:.60}, expected a tuple of names"
        if not (self.set_apart is None or isinstance(self.set_apart, str)):
            return f"set_apart is {self.set_apart!r:.60}, expected the name of a group, or None"
        if not isinstance(self.alternatives, Mapping):
            return f"alternatives is {self.alternatives!r:.60}, expected a mapping of names to alternatives"
        mistakes = (self._mistake_among(choices, name) for name, choices in self.alternatives.items())
        return next(filter(None, mistakes), "") or self._mistake_of_hyperparameters()

    def _mistake_of_hyperparameters(self) -> str:
        if not isinstance(self.hyperparameters, Mapping):
            return f"hyperparameters is {self.hyperparameters!r:.60}, expected a mapping of globs to hyperparameters"
        for pattern, values in self.hyperparameters.items():
            if not isinstance(values, Mapping) or not all(map(is_setting, values.values())):
                expected = "expected a mapping of names to texts or finite numbers"
                return f"hyperparameters[{pattern!r}] is {values!r:.60}, {expected}"
        return ""

    def _mistake_among(self, choices: Any, name: str) -> str:
        place = f"alternatives[{name!r}]"
        if not isinstance(choices, Mapping) or not choices:
            return f"{place} is {choices!r:.60}, expected a mapping of titles to tuples of measures"
        if self.AS_DEFINED in choices:
            return f"{place} has the title {self.AS_DEFINED!r}, that of the definition itself; expected another"
        for title, parts in choices.items():
            if not parts or not _are_names(parts):
                return f"{place}[{title!r}] is {parts!r:.60}, expected a tuple of full names of measures"
        return ""

    def completed(self, other: StatisticsPlan) -> tuple[StatisticsPlan, tuple[str, ...]]:
        """This plan with what only `other` declares, and the names of the fields that the two declare differently."""
        own, more = ({key: value for key, value in _declared(plan).items() if value} for plan in (self, other))
        unlike = tuple(key for key in own if key in more and own[key] != more[key])
        return StatisticsPlan(**{**more, **own}), unlike


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) and name for name in value)


def _declared(plan: StatisticsPlan) -> dict[str, Any]:
    return {each.name: getattr(plan, each.name) for each in fields(plan)}
