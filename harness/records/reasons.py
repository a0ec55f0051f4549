"""Why results are missing, and remarks on existing ones: data, which becomes text where it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.errors import HarnessError, advised

ReasonKind = Literal["measure", "bias", "axis", "task"]
"""What can be missing for a model."""
RemarkKind = Literal["data", "flag", "erratum", "mended", "comparability", "incomplete", "duplicate"]
"""Subject of a remark: the images, a measure, a wrong published number, a corrected one, incomparable models, a run
without all its results, or models that several runs have and statistics count once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a model has no value for a measure, bias or axis, or no trials of a task.

    Attributes:
        kind: what `subject` names; a task and a measure may have the same name.
        text: the reason, without the remedy.
        remedy: what to type next; empty if none is known.
        general: `text` without names, so that similar reasons can share a line.
        causes: reasons of what `subject` depends on, such as the task of a measure, or the parts of a bias.
    """

    kind: ReasonKind
    subject: str
    text: str
    remedy: str = ""
    general: str = ""
    causes: tuple[Reason, ...] = ()

    @classmethod
    def of_error(cls, kind: ReasonKind, subject: str, error: HarnessError) -> Reason:
        """The reason that `error` gives, with `subject`."""
        return cls(kind=kind, subject=subject, text=error.reason, remedy=error.remedy, general=error.general)

    @property
    def line(self) -> str:
        """Text and remedy as a line of text."""
        return advised(self.text, self.remedy)

    @property
    def roots(self) -> tuple[Reason, ...]:
        """The reasons without further causes, each once."""
        if not self.causes:
            return (self,)
        return tuple(dict.fromkeys(root for cause in self.causes for root in cause.roots))


def reason_for(reasons: Iterable[Reason], kind: ReasonKind, subject: str) -> Reason | None:
    """The reason why `subject` is missing, if there is one."""
    return next((reason for reason in reasons if reason.kind == kind and reason.subject == subject), None)


class Remark(str):
    """A remark: a text with its subject as data.

    Attributes:
        kind: kind of remark. subject: the dataset, measure, bias, axis or task.
        text: the remark without its subject.
    """

    kind: RemarkKind
    subject: str
    text: str

    def __new__(cls, kind: RemarkKind, subject: str, text: str, *, line: str = "") -> Remark:
        """`line`: the remark as text; default: ``subject: text``."""
        remark = super().__new__(cls, line or f"{subject}: {text}")
        remark.kind, remark.subject, remark.text = kind, subject, text
        return remark

    def __getnewargs_ex__(self) -> tuple[tuple[RemarkKind, str, str], dict[str, str]]:
        """Arguments for copies and pickles, since those of `str` would contain only the text."""
        return (self.kind, self.subject, self.text), {"line": str(self)}
