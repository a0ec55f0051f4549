"""The rows that the tables of a report have, straight from its JSON, key by key; independent of how they are made.

Each function gives (start of the title, rows) of every table of the CSV that has numbers, in order. A row maps the
columns of the CSV to values of the JSON, and to `Null` with its reason where the JSON has null.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Null:
    """A number that is undefined. `reason`: as the JSON gives it; `True` where the schema asks for none."""

    reason: str | bool | None


def number(value, reason, scale=1):
    """A cell."""
    return Null(reason) if value is None else scale * value


def sheets_of(report, data):
    """The tables of the report with this name."""
    makers = {
        "prediction": prediction,
        "correlation": correlation,
        "sensitivity": sensitivity,
        "consistency": consistency,
        "dataset-bias": dataset_bias,
    }
    return list(makers[report](data))


def where(entries, **wanted):
    """The entries that have these values."""
    return [one for one in entries if all(one[key] == value for key, value in wanted.items())]


# --- prediction --------------------------------------------------------------------------------


def prediction(data):
    entries = data["predictions"]
    if not _is_defined(entries):
        return
    yield _joint(entries)
    yield (
        "Q² by other means",
        [
            {
                **_learner(one),
                **{
                    f"{key}_{q2}": _score(one["baselines"][name], q2)
                    for name, key, kinds in (
                        ("family-mean", "family_mean", ["q2_loo"]),
                        ("id", "id", ["q2_loo", "q2_lofo"]),
                        ("id+biases", "id_biases", ["q2_loo", "q2_lofo"]),
                    )
                    for q2 in kinds
                },
                "concordance": number(one["concordance"], one["reason"]),
            }
            for one in entries
        ],
    )
    yield (
        "What biases reach that know nothing",
        [
            {
                **_learner(one),
                **{
                    f"{kind}_{key}": number(one["null"][kind][key], one["reason"])
                    for kind in ("r2", "q2_loo", "q2_lofo")
                    for key in ("mean", "q95")
                },
                "p_loo": number(one["p_loo"], one["reason"]),
            }
            for one in entries
        ],
    )
    yield from _left_out(entries)


def _left_out(entries):
    rows = [
        {
            **_learner(one),
            "model": of["model"],
            "group": of["group"] or Null(True),
            "measured": of["measured"],
            **{key: number(of[key], one["reason"]) for key in ("loo", "lofo")},
        }
        for one in entries
        for of in one["predicted"]
    ]
    if rows:
        yield "Each model as others predict it", rows


def _is_defined(entries):
    return any(one["r2"] is not None for one in entries)


def _learner(one):
    return {"generalization": one["generalization"], "learner": one["learner"]}


def _score(score, q2):
    return number(score[q2], score["reason"])


def _joint(entries):
    return "Each axis predicted from all biases together", [
        {
            **_learner(one),
            **{key: number(one[key], one["reason"]) for key in ("r2", "q2_loo", "q2_lofo", "p_lofo")},
            "id_q2_lofo": _score(one["baselines"]["id"], "q2_lofo"),
        }
        for one in entries
    ]


# --- correlation -------------------------------------------------------------------------------


def correlation(data):
    across = where(data["correlations"], models="all")
    among = where(data["bias_correlations"], models="all")
    defined = any(one["spearman"] is not None for one in across)
    if _is_defined(data["predictions"]):
        yield _joint(data["predictions"])
    if defined:
        yield _matrix(data, across, "of biases and generalization")
        yield from _given(across)
    yield from _ranks(data)
    yield from _models(data)
    yield from _intervals(data)
    if defined:
        if any(one["families"]["within"] is not None for one in across):
            yield "Within training families", _families(across)
        yield (
            "The same with 95 % intervals",
            [
                {**_pair(one), **_columns(one, "n", ("ρ", "spearman"), "low", "high", "p", ("p Holm", "p_holm"))}
                for one in across
            ],
        )
        yield from _apart(data)
        if any(one["spearman"] is not None for one in among):
            yield _matrix(data, among, "among biases")
    yield from _everywhere(data, among)


def _everywhere(data, among):
    for title, key in (("of biases and generalization", "correlations"), ("among biases", "bias_correlations")):
        if data[key]:
            columns = (("p Holm", "p_holm"), ("p BH", "p_bh"), "poster")
            yield (
                f"Spearman's ρ {title}, each set of models",
                [
                    {
                        **_pair(one),
                        "models": one["models"],
                        **_columns(one, "n", ("ρ", "spearman"), "low", "high", "p", *columns),
                    }
                    for one in data[key]
                ],
            )
    yield from _left_out(data["predictions"])
    if any(one["families"]["within"] is not None for one in among):
        yield "Within training families, among biases", _families(among)
    if data["clusters"]:
        keys = ("n", "families", ("family size", "family_size"), ("ICC", "icc"), ("effective n", "n_effective"))
        yield "How alike the models", [{"name": one["name"], **_columns(one, *keys)} for one in data["clusters"]]


def _partner(one):
    return one["other"] if "other" in one else one["generalization"]


def _pair(one):
    return {"bias": one["bias"], "axis": _partner(one)}


def _columns(one, *keys):
    named = [(key, key) if isinstance(key, str) else key for key in keys]
    return {column: number(one[key], one["reason"]) for column, key in named}


def _matrix(data, entries, title):
    of = {(one["bias"], _partner(one)): one for one in entries}
    if "other" in entries[0]:
        rows, columns = list(data["biases"])[1:], list(data["biases"])[:-1]
        of = {(second, first): one for (first, second), one in of.items()}
    else:
        rows, columns = list(data["biases"]), list(data["axes"])
    blank = Null(True)
    cells = {place: number(one["spearman"], one["reason"]) for place, one in of.items()}
    return f"Spearman's ρ {title}, all models", [
        {"bias": row, **{column: cells.get((row, column), blank) for column in columns}} for row in rows
    ]


def _given(entries):
    rows = [
        {
            **_pair(one),
            "given": " ".join(one["partial"]["given"]),
            "n": one["partial"]["n"],
            "spearman": number(one["spearman"], one["reason"]),
            "partial": number(one["partial"]["value"], one["partial"]["reason"]),
            **{key: number(one["partial"][key], one["partial"]["reason"]) for key in ("low", "high", "p")},
        }
        for one in entries
        if one["partial"]["given"]
    ]
    if rows:
        yield "Biases divided by another measure", rows


def _families(entries):
    return [
        {
            **_pair(one),
            "all": number(one["spearman"], one["reason"]),
            "within": number(one["families"]["within"], one["families"]["reason"]),
            "p_within_holm": number(one["families"]["p_within_holm"], one["families"]["reason"]),
            "positive": sum(sign > 0 for sign in one["families"]["signs"].values()),
            "negative": sum(sign < 0 for sign in one["families"]["signs"].values()),
            "simpson": _turns(one),
            "low": number(one["families"]["cluster_low"], one["families"]["reason"]),
            "high": number(one["families"]["cluster_high"], one["families"]["reason"]),
        }
        for one in entries
    ]


def _turns(one):
    families = one["families"]
    if not families["simpson"]:
        return ""
    return "within" if families["within"] is not None and families["within"] * one["spearman"] < 0 else "family"


def _apart(data):
    group = data["set_apart"]
    sets = ("all", group, f"not {group}")
    each = [where(data["correlations"], models=name) for name in sets]
    if group is None or not each[1] or all(one["spearman"] is None for one in each[2]):
        return
    yield (
        "Spearman's ρ with ",
        [
            {
                **_pair(three[0]),
                **{
                    column: number(one["spearman"], one["reason"])
                    for column, one in zip(("all", "group", "others"), three, strict=True)
                },
            }
            for three in zip(*each, strict=True)
        ],
    )


def _ranks(data):
    own = [model for model in data["models"] if model.get("ranks")]
    names = [name for name in [*data["biases"], *data["axes"]] if any(name in model["ranks"] for model in own)]
    if own and names:
        yield (
            "► Rank of your own models",
            [
                {
                    "model": model["name"],
                    **{name: number(model["ranks"].get(name, {}).get("rank"), why(model, name)) for name in names},
                    **{
                        f"{name}: of": number(model["ranks"].get(name, {}).get("of"), why(model, name))
                        for name in names
                    },
                }
                for model in own
            ],
        )


def why(model, name):
    """Why a model does not have a bias, axis or measure."""
    return next((one["reason"] for one in model["missing"] if one["subject"] == name), None)


def _models(data):
    names = [*data["biases"], *data["axes"]]
    models = _by_group(data["models"])
    measures = list(dict.fromkeys(name for model in data["models"] for name in model["measures"]))
    if not names:
        yield "Models (", [_measured(model, measures, data) for model in models]
    elif len(names) <= 6:
        yield "Models (", [_measured(model, names, data) for model in models]
    else:
        yield "Models: biases (", [_measured(model, list(data["biases"]), data) for model in models]
        yield "Models: generalization (", [_measured(model, list(data["axes"]), data) for model in models]
    if names and measures:
        yield "Measures (", [_measured(model, measures, data) for model in models]


def _by_group(models):
    groups = list(dict.fromkeys(model["group"] for model in models if model["group"] is not None))
    return [m for group in [*groups, None] for m in models if m["group"] == group]


def _measured(model, names, data):
    values = {**model["measures"], **model["biases"], **model["axes"]}
    cells = {
        f"{name} %" if _percent(data, name) else name: number(
            values.get(name), why(model, name) if name in values else True, 100 if _percent(data, name) else 1
        )
        for name in names
    }
    return {"model": model["name"], "group": model["group"] or Null(True), **cells}


def _percent(data, name):
    return name in data["axes"] and data["units"][name] == "fraction"


def _intervals(data):
    rows = []
    for model in _by_group(data["models"]):
        for name, value in {**model["biases"], **model["axes"]}.items():
            spread = model["intervals"].get(name)
            if value is None or spread is None or spread["low"] is None or spread["high"] is None:
                continue
            scale, unit = (100, " %") if _percent(data, name) else (1, "")
            numbers = {"value": value, "low": spread["low"], "high": spread["high"]}
            rows.append(
                {
                    "model": model["name"],
                    "measure": f"{name}{unit}",
                    **{key: scale * number for key, number in numbers.items()},
                    "n": number(spread["n"], True),
                }
            )
    if rows:
        yield "95 % intervals, from n trials each", rows


# --- sensitivity -------------------------------------------------------------------------------


def sensitivity(data):
    entries = data["sensitivities"]
    if entries:
        yield (
            "Spearman's ρ with controls held",
            [
                {
                    **_pair(one),
                    **_columns(one, "n", ("ρ", "spearman")),
                    "held": number(one["partial"]["value"], one["partial"]["reason"]),
                    "p held": number(one["partial"]["p"], one["partial"]["reason"]),
                    "ceiling": number(one["ceiling"]["value"], one["ceiling"]["reason"]),
                    "ρ/ceiling": number(one["ceiling"]["disattenuated"], one["ceiling"]["reason"]),
                }
                for one in entries
            ],
        )
    if any(one["influence"]["model"] for one in entries):
        yield (
            "The model whose deletion moves ρ most",
            [
                {
                    **_pair(one),
                    **_columns(one, ("ρ", "spearman"), "p"),
                    "without": number(one["influence"]["without"], one["influence"]["reason"]),
                    "model": one["influence"]["model"] or Null(one["influence"]["reason"]),
                    "flips": len(one["influence"]["flips"]),
                }
                for one in entries
            ],
        )
    yield from _alternatives([one for one in entries if one["alternatives"]])
    yield from _coupling([one for one in entries if one["coupling"]])
    yield from _reliability(data["reliabilities"])
    yield from _effective(data["effective"], entries)


def _alternatives(entries):
    if entries:
        yield (
            "Spearman's ρ over all declared definitions",
            [
                {
                    **_pair(one),
                    "definitions": of["defined"],
                    **{
                        column: number(of[key], of["reason"])
                        for column, key in (
                            ("least", "least"),
                            ("median", "median"),
                            ("most", "most"),
                            ("ρ > 0", "positive"),
                            ("p < 0.05", "significant"),
                        )
                    },
                }
                for one in entries
                for of in [one["alternatives"]]
            ],
        )


def _coupling(entries):
    if entries:
        yield (
            "Biases that are divided by another measure",
            [
                {
                    **_pair(one),
                    "rho": number(one["spearman"], one["reason"]),
                    **{
                        column: number(one["coupling"][key], one["coupling"]["reason"])
                        for column, key in (("null", "null"), ("sd", "sd"), ("p", "p"), ("undivided", "absolute"))
                    },
                    **_in_groups(one["coupling"]),
                }
                for one in entries
            ],
        )


def _in_groups(coupling):
    """No numbers, and no need of a reason, where no two models share a group."""
    within = coupling["within"] or {"null": None, "p": None}
    reason = coupling["reason"] if coupling["within"] else True
    return {f"{key}_within": number(within[key], reason) for key in ("null", "p")}


def _reliability(entries):
    if entries:
        names = list(dict.fromkeys(one["name"] for one in entries))
        of = {name: where(entries, name=name) for name in names}
        yield (
            "Reliability",
            [
                {
                    "name": name,
                    "from": Null(of[name][0]["reason"]) if of[name][0]["value"] is None else of[name][0]["method"],
                    **{one["models"]: number(one["value"], one["reason"]) for one in of[name]},
                }
                for name in names
            ],
        )


def _effective(robust, entries):
    if robust:
        yield (
            "Effective robustness: beyond what",
            [
                {
                    "axis": one["generalization"],
                    "n": one["n"],
                    "slope": number(one["slope"], one["reason"]),
                    "R²": number(one["r2"], one["reason"]),
                    **_most(one),
                }
                for one in robust
            ],
        )
    beyond = [one for one in entries if one["effective"]]
    if beyond:
        yield (
            "Spearman's ρ of biases with effective robustness",
            [
                {
                    "bias": bias,
                    **{
                        one["generalization"]: number(one["effective"]["spearman"], one["effective"]["reason"])
                        for one in where(beyond, bias=bias)
                    },
                }
                for bias in dict.fromkeys(one["bias"] for one in beyond)
            ],
        )
    rows = [{**_pair(one), "model": name} for one in entries for name in one["influence"]["flips"]]
    if rows:
        yield "Deletions that flip", rows
    rows = [
        {
            "axis": one["generalization"],
            "model": point["model"],
            "group": point["group"] or Null(True),
            **{key: number(point[key], True) for key in ("x", "y")},
            "baseline": "baseline" if point["baseline"] else "",
            "points": number(one["values"].get(point["model"]), one["reason"] or point["x"] is None, 100),
            "line": "extrapolated" if point["model"] in one["outside"] else "",
        }
        for one in robust
        for point in one["points"]
    ]
    if rows:
        yield "Effective robustness of each model", rows
    tried = [(one, each) for one in entries if one["alternatives"] for each in one["alternatives"]["specifications"]]
    if tried:
        yield (
            "Spearman's ρ for each declared definition",
            [
                {
                    **_pair(one),
                    "definition of the bias": each["bias"],
                    "definition of the axis": each["generalization"],
                    "n": each["n"],
                    "ρ": number(each["spearman"], True),
                    "p": number(each["p"], True),
                }
                for one, each in tried
            ],
        )


def _most(one):
    inside = {name: value for name, value in one["values"].items() if name not in one["outside"] and value is not None}
    most = max(inside, key=inside.get, default=None)
    nothing = Null(one["reason"] or bool(one["outside"]))
    return {"most": nothing, "model": nothing} if most is None else {"most": 100 * inside[most], "model": most}


# --- consistency -------------------------------------------------------------------------------

_MEANS = ("kappa", "observed", ("difference", "accuracy_difference"))


def consistency(data):
    for title, key, third in (
        ("Error consistency with people", "models", "datasets"),
        ("Error consistency with people, by dataset", "datasets", "dataset"),
    ):
        if data[key]:
            yield (
                title,
                [
                    {
                        "model": one["model"],
                        "group": one["group"] or Null(True),
                        third: one[third],
                        **_columns(one, "n", *_MEANS),
                    }
                    for one in data[key]
                ],
            )
    if data["pairs"]:
        yield (
            "Pairs of observers (",
            [
                {
                    **{key: one[key] for key in ("first", "second", "dataset")},
                    **_columns(one, "n", "kappa", "low", "high", "observed"),
                }
                for one in data["pairs"]
            ],
        )
    if any(len(one["conditions"]) > 1 for one in data["pairs"]):
        yield (
            "Pairs of observers, by condition",
            [
                {
                    **{key: one[key] for key in ("first", "second", "dataset")},
                    "condition": each["condition"],
                    **{
                        column: number(each[key], None)
                        for column, key in (
                            ("n", "n"),
                            ("kappa", "kappa"),
                            ("observed", "observed"),
                            ("expected", "expected"),
                            ("difference", "accuracy_difference"),
                        )
                    },
                }
                for one in data["pairs"]
                for each in one["conditions"]
            ],
        )


# --- dataset-bias ------------------------------------------------------------------------------


def dataset_bias(data):
    for entry in data["datasets"]:
        seen = [m for m in where(data["models"], dataset=entry["dataset"]) if m["model"] in entry["models"]]
        yield from _places(entry)
        yield from _by_place(seen)
        yield from _by_attribute(seen)
        yield from _in_full(seen)


def _places(entry):
    keys = ("spread", ("uniform", "uniform_spread"), ("KL", "kl"), ("by chance", "kl_by_chance"), "p")
    rows = [{"attribute": one["attribute"], **_columns(one, "n", "mean", *keys)} for one in entry["attributes"]]
    place = entry["place"]
    if place:
        rows.append({"attribute": "x and y", "n": place["n"], "mean": Null(True), **_columns(place, *keys)})
    yield "Where the objects of ", rows
    known = [one for one in entry["attributes"] if one["n"]]
    for range_ in dict.fromkeys((one["start"], one["end"], len(one["counts"])) for one in known):
        start, end, bins = range_
        members = [one for one in known if (one["start"], one["end"], len(one["counts"])) == range_]
        filled = [at for at in range(bins) if any(one["counts"][at] for one in members)]
        width = (end - start) / bins
        yield (
            "Histogram of ",
            [
                {
                    "from": f"{start + at * width:g} to {start + (at + 1) * width:g}",
                    **{one["attribute"]: 100 * one["counts"][at] / one["n"] for one in members},
                }
                for at in range(filled[0], filled[-1] + 1)
            ],
        )
    if place and place["n"]:
        cells = len(place["counts"])
        yield (
            "Centres of the objects of ",
            [
                {
                    "y from": f"{down / cells:g}",
                    **{f"x from {right / cells:g}": 100 * row[right] / place["n"] for right in range(cells)},
                }
                for down, row in enumerate(place["counts"])
            ],
        )


def _by_place(models):
    models = [model for model in models if model["cells"]]
    used = [at for at in range(16) if any(model["cells"][at]["n"] for model in models)]
    if used:
        yield (
            "Accuracy by place: ",
            [
                {
                    "model": model["model"],
                    "all": number(model["accuracy"], model["reason"], 100),
                    **{
                        f"x{at % 4 + 1} y{at // 4 + 1}": number(cell["accuracy"], cell["reason"], 100)
                        for at, cell in enumerate(model["cells"])
                        if at in used
                    },
                }
                for model in models
            ],
        )


def _by_attribute(models):
    attributes = dict.fromkeys(one["attribute"] for model in models for one in model["functions"])
    for attribute in attributes:
        step = 10 if attribute == "tilt" else 0.1
        functions = [
            (model["model"], one) for model in models for one in where(model["functions"], attribute=attribute)
        ]
        if not functions[0][1]["bins"]:
            continue
        yield (
            f"Accuracy by {attribute}: ",
            [
                {
                    "model": name,
                    **{
                        f"{_end(one['start'], attribute)} to {_end(one['end'], attribute)}": number(
                            one["accuracy"], one["reason"], 100
                        )
                        for one in function["bins"]
                    },
                    **{key: number(function[key], function["reason"], 100 * step) for key in ("slope", "low", "high")},
                }
                for name, function in functions
            ],
        )


def _end(value, attribute):
    return f"{round(value, 1 if attribute == 'tilt' else 3) + 0.0:g}".replace("-", "−")


def _in_full(models):
    rows = [
        {
            "model": model["model"],
            "attribute": function["attribute"],
            "start": one["start"],
            "end": one["end"],
            "n": one["n"],
            **{key: number(one[key], one["reason"], 100) for key in ("accuracy", "low", "high")},
        }
        for model in models
        for function in model["functions"]
        for one in function["bins"]
    ]
    if rows:
        yield "Accuracy by attribute, with n", rows
    rows = [
        {
            "model": model["model"],
            **{key: one[key] for key in ("left", "right", "top", "bottom", "n")},
            **{key: number(one[key], one["reason"], 100) for key in ("accuracy", "low", "high")},
        }
        for model in models
        for one in model["cells"]
    ]
    if rows:
        yield "Accuracy by place, with n", rows
