"""Reasons why something is missing: made for a test, and read back by the name of what is missing."""

from harness import Reason


def absences(measures=(), tasks=()):
    """Reasons of measures and of tasks: name -> text, each a mapping."""
    kinds = (("measure", dict(measures)), ("task", dict(tasks)))
    return tuple(Reason(kind=kind, subject=name, text=text) for kind, texts in kinds for name, text in texts.items())


def lines(model):
    """Of a StudyModel, or of a model in a report's JSON: what is missing -> why, as people read it."""
    reasons = [Reason(kind=one["kind"], subject=one["subject"], text=one["reason"], remedy=one["remedy"] or "")
               for one in model["missing"]] if isinstance(model, dict) else model.missing  # fmt: skip
    return {one.subject: one.line for one in reasons}
