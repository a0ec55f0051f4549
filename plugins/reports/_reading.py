"""How to read the pages of a report over models: the words of docs/glossary.md, and what the marks mean."""

from __future__ import annotations

from collections.abc import Collection

from harness import Page, Table, TableCell

ANSWER = (
    "Start with the summary. Whether biases explain generalization is what the prediction says: how well all of them "
    "together predict an axis for models that took no part in the fit. A single coefficient says less, since biases "
    "are related to each other.",
    "A large ρ over all models may be the difference between two ways of training. Stars stand only where models that "
    "were trained alike differ in the same way: * p < 0.05 by permutation within training families, ** also after "
    "Holm's correction. Without families to respect they take each model as independent. Every other p is exploratory.",
    "A bias that is divided by a network's own accuracy or error follows accuracy: read its ρ at equal accuracy.",
)
"""Of predictions and coefficients."""
NUMBERS = (
    "Read n and the interval beside each number. A dash is a number that is missing or undefined, never 0; its reason "
    "is below the table, and in the part on what is missing. A dagger marks what rests on a published number that is "
    "known to be wrong.",
    "Accuracies are in percent, and differences of them in points, where a heading says so; else they are fractions. "
    "No coefficient is a cause.",
    "Definitions and sources are in the documents of the harness: docs/statistics.md, docs/report.md, "
    "docs/glossary.md, docs/errata.md.",
)
"""Of any number."""
WORDS = {
    "model": "one network with its checkpoint",
    "group": "set of models that the statistics also consider on their own, and leave out in turn",
    "family": "models that were trained alike, and are not independent: those of one group, and each model without a "
    "group on its own",
    "bias": "mean of measures that say on what a network rests its decisions; without one of its parts it is missing, "
    "never a partial mean",
    "axis": "mean of measures of one kind of generalization, such as accuracy on corrupted images",
    "measure": "one number for one model, with unit and direction",
    "task": "a probe on a dataset, which the models are shown",
    "condition": "version that a probe makes of every image",
    "trial": "one stored decision: one network on one image under one condition",
    "n": "how much data a number rests on: trials behind a value, models behind a coefficient",
    "ρ": "Spearman's rank correlation over models, between -1 and 1",
    "ρ within": "the same among models of one family, pooled over families",
    "R²": "share of the variance of an axis that a prediction explains, in the models of its fit",
    "Q²": "the same in models that were left out: one by one (LOO), or a whole family at a time (LOFO); 1 is perfect, "
    "0 no better than a constant",
    "learner": "how an axis is predicted from the biases, fixed beforehand: ols, or ols-log with the logarithm of "
    "skewed biases",
    "control": "bias or axis that a coefficient at equal accuracy holds",
    "reliability": "share of the variance of a bias or axis over models that is not error of measurement",
    "ceiling": "largest coefficient to expect of two quantities of these reliabilities",
    "alternative": "another definition of a bias or axis that would have been as defensible, declared with the suite",
    "sign error": "share of the pairs of networks across one change of one hyperparameter that a bias ranks against "
    "the axis",
    "effective robustness": "accuracy beyond what that on other images predicts over the declared baseline models",
    "flag": "something that must be known of one measure of one model",
    "remark": "something that must be known beside the numbers",
    "reason": "why a number is missing or undefined",
    "erratum": "a known error of a published measure",
}


SENSITIVITY = ("reliability", "ceiling", "alternative", "sign error", "effective robustness")
"""Words of what a coefficient rests on."""
PREDICTION = ("R²", "Q²", "learner")


def reading_page(text: tuple[str, ...] = (), without: Collection[str] = ()) -> Page:
    """The last part of the file: `text`, what holds for any number, and the words, but for those that do not occur."""
    rows = tuple((TableCell(word), TableCell(meaning)) for word, meaning in WORDS.items() if word not in without)
    words = Table(title="Words", columns=("word", "meaning"), rows=rows)
    return Page(title="How to read this", text=(*text, *NUMBERS), tables=(words,))
