"""Why something is not there, and what is remarkable about what is: as data, which becomes text where it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.errors import HarnessError, advised

Lack = Literal["measure", "bias", "axis", "task"]
"""What a model can be without."""
RemarkKind = Literal["data", "flag", "erratum", "mended", "comparability"]
"""What a remark is about: the images, a measure, a published number that is wrong, one that was put right, or models
that cannot be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a model has no value for a measure, bias or axis, or no trials of a task.

    Attributes:
        kind: what `subject` names; a task and a measure may have the same name.
        text: the reason, without what to type.
        remedy: what to type next; empty where nothing is known.
        general: `text` without the names in it, so that many alike can share a line.
        causes: reasons of what `subject` needs, such as a task of a measure, or the parts of a bias.
    """

    kind: Lack
    subject: str
    text: str
    remedy: str = ""
    general: str = ""
    causes: tuple[Reason, ...] = ()

    @classmethod
    def of_error(cls, kind: Lack, subject: str, error: HarnessError) -> Reason:
        """What `error` says, about `subject`."""
        return cls(kind=kind, subject=subject, text=error.reason, remedy=error.remedy, general=error.general)

    @property
    def line(self) -> str:
        """Text and remedy, as people read them."""
        return advised(self.text, self.remedy)

    @property
    def roots(self) -> tuple[Reason, ...]:
        """The reasons that have no cause themselves, each once."""
        if not self.causes:
            return (self,)
        return tuple(dict.fromkeys(root for cause in self.causes for root in cause.roots))


def reason_for(reasons: Iterable[Reason], kind: Lack, subject: str) -> Reason | None:
    """The reason why `subject` is not there, if there is one."""
    return next((one for one in reasons if one.kind == kind and one.subject == subject), None)


class Remark(str):
    """A remark: a text like any other, which knows what it is about.

    Attributes:
        kind: what it is about. subject: the dataset, measure, bias, axis or task.
        text: the remark without its subject.
    """

    kind: RemarkKind
    subject: str
    text: str

    def __new__(cls, kind: RemarkKind, subject: str, text: str, *, line: str = "") -> Remark:
        """`line`: how people read it; default: ``subject: text``."""
        remark = super().__new__(cls, line or f"{subject}: {text}")
        remark.kind, remark.subject, remark.text = kind, subject, text
        return remark

    def __getnewargs_ex__(self) -> tuple[tuple[RemarkKind, str, str], dict[str, str]]:
        """For copies and pickles, which `str` would make of its text alone."""
        return (self.kind, self.subject, self.text), {"line": str(self)}
