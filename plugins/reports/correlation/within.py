"""Training families in the coefficients over all models: inside each family, tested within them, and for other ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness import StudyModel, inference, statistics

from .schema import ClusterEntry, FamilyNumbers

Pair = tuple[str, str]
MOST_MODELS = 200
"""With more models than these, fewer permutations are drawn: as many as cost the same."""
LEAST_DRAWS = 10_000
MOST_COUNTED = 10**300
"""More permutations than these are no number in JSON."""


def family_numbers(models: Sequence[StudyModel], *tests: Sequence[Pair]) -> list[list[FamilyNumbers]]:
    """The numbers of each pair over `models`, for lists of pairs that are tested together: p is adjusted over each."""
    numbers: dict[Pair, FamilyNumbers] = {}
    for members, concerned in _complete(models, [pair for pairs in tests for pair in pairs]).items():
        numbers.update(_over([models[at] for at in members], concerned))
    adjusted = [statistics.holm([numbers[pair]["p_within"] for pair in pairs]) for pairs in tests]
    return [
        [{**numbers[pair], "p_within_holm": p} for pair, p in zip(pairs, ps, strict=True)]
        for pairs, ps in zip(tests, adjusted, strict=True)
    ]


def cluster_entries(models: Sequence[StudyModel], names: Sequence[str]) -> list[ClusterEntry]:
    """How alike the models of one family are in each bias and axis, and how many independent ones that is worth."""
    entries: list[ClusterEntry] = []
    for name in names:
        families = [model.group for model in models if _values(model)[name] is not None]
        found = inference.intraclass(_present(models, name), families, name)
        entries.append(
            {
                "name": name,
                "n": found.n,
                "families": found.families,
                "family_size": found.family_size,
                "icc": found.icc,
                "n_effective": found.n_effective,
                "reason": found.reason,
            }
        )
    return entries


def _values(model: StudyModel) -> Mapping[str, float | None]:
    return {**model.biases, **model.axes}


def _present(models: Sequence[StudyModel], name: str) -> list[float]:
    return [value for model in models if (value := _values(model)[name]) is not None]


def _complete(models: Sequence[StudyModel], pairs: Sequence[Pair]) -> dict[tuple[int, ...], list[Pair]]:
    """Positions of the models that have both numbers of a pair -> the pairs that have these models."""
    values = [_values(model) for model in models]
    sets: dict[tuple[int, ...], list[Pair]] = {}
    for pair in pairs:
        having = tuple(at for at, own in enumerate(values) if own[pair[0]] is not None and own[pair[1]] is not None)
        sets.setdefault(having, []).append(pair)
    return sets


def _over(models: Sequence[StudyModel], pairs: Sequence[Pair]) -> Iterator[tuple[Pair, FamilyNumbers]]:
    """The numbers of pairs that all of `models` have: one set of permutations and one of resamples for them all."""
    families = [model.group for model in models]
    reason = _why_not(families)
    if reason:
        yield from ((pair, _undefined(reason)) for pair in pairs)
        return
    sides = [list(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 1)]
    values = {name: _present(models, name) for side in sides for name in side}
    left, right = ([values[name] for name in side] for side in sides)
    test = inference.blocked_test(left, right, families, draws=_draws(len(models)))
    intervals = inference.family_intervals(left, right, families)
    for pair in pairs:
        row, column = sides[0].index(pair[0]), sides[1].index(pair[1])
        inside = _inside(values[pair[0]], values[pair[1]], families, pair)
        low, high = intervals.low[row][column], intervals.high[row][column]
        yield (
            pair,
            {
                **inside,
                "p_within": float(test.p[row, column]) if inside["within"] is not None else None,
                "p_within_method": test.method if inside["within"] is not None else None,
                "draws": test.draws,
                "seed": test.seed,
                "permutations": float(test.possible) if test.possible < MOST_COUNTED else None,
                "cluster_low": low,
                "cluster_high": high,
                "cluster_draws": intervals.draws,
                "reason": inside["reason"] or (None if low is not None else _no_interval(intervals.families)),
            },
        )


def _no_interval(families: int) -> str:
    why = "a single family" if families == 1 else "too few samples of families have a coefficient"
    return f"no interval for other families ({why})"


def _why_not(families: Sequence[str | None]) -> str:
    """Why there is nothing to say of these families; empty if there is."""
    if len(families) < statistics.LEAST_PAIRS:
        return f"undefined (n = {len(families)})"
    grouped = [family for family in families if family is not None]
    return "undefined (no family has two models)" if len(set(grouped)) == len(grouped) else ""


def _inside(x: Sequence[float], y: Sequence[float], families: Sequence[str | None], names: Pair) -> FamilyNumbers:
    """What needs no draws; the rest is as `_undefined` has it."""
    within = inference.within_families(x, y, families, names=names)
    signs = inference.family_signs(x, y, families)
    return {
        **_undefined(within.reason),
        "within": within.value,
        "n": within.n,
        "families": within.families,
        "signs": {one.family: one.sign for one in signs.families},
        "simpson": signs.simpson(within.value),
        "reversed": list(signs.reversed),
        "worst_family": signs.worst.family if signs.worst else None,
        "worst_error": signs.worst.error if signs.worst else None,
        "n_effective": inference.effective_pairs(x, y, families),
    }


def _draws(n: int) -> int:
    """Permutations of `n` models."""
    return max(LEAST_DRAWS, min(inference.DRAWS, inference.DRAWS * MOST_MODELS // n))


def _undefined(reason: str | None) -> FamilyNumbers:
    return {
        "within": None,
        "n": 0,
        "families": 0,
        "p_within": None,
        "p_within_holm": None,
        "p_within_method": None,
        "draws": 0,
        "seed": None,
        "permutations": None,
        "signs": {},
        "simpson": False,
        "reversed": [],
        "worst_family": None,
        "worst_error": None,
        "cluster_low": None,
        "cluster_high": None,
        "cluster_draws": 0,
        "n_effective": None,
        "reason": reason,
    }
