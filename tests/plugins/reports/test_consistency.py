"""The report `consistency`: published decisions against another formula, means as the toolbox forms them, gaps."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from harness import Measure, Remark, StoreError, Study, StudyModel, TaskLayout, Trials
from harness.output.formats import render, to_csv, to_json
from harness.plugins.importers.model_vs_human import ModelVsHuman
from harness.plugins.reports.consistency import BETWEEN, ErrorConsistency
from tests.helpers.memory_runs import Reader
from tests.helpers.reasons import absences

CLASSES = ("bear", "cat", "dog")


def trials(correct, task="accuracy@a", ids=None, shown="clean", classes=CLASSES, **attributes):
    """`correct`: one truth value an image; every image is a cat, and a wrong answer is a dog."""
    ids = tuple(ids or map(str, range(len(correct))))
    top5 = np.full((len(correct), 1, 5), -1, np.int16)
    right = classes.index("cat")
    top5[:, 0, 0] = [right if one else (right + 1) % 3 for one in correct]
    layout = TaskLayout(
        task=task,
        sample_ids=ids,
        targets=np.full((len(correct), 1), right, np.int16),
        conditions=(shown,),
        classes=classes,
        size=8,
        span=16,
        attributes={name: tuple(values) for name, values in attributes.items()},
    )
    logp = np.full(top5.shape, np.nan, np.float16)
    return Trials(model="", layout=layout, top5=top5, logp=logp, correct=np.array(correct, bool)[:, None])


def study(found, people=(), reader=None):
    """`found`: observer -> trials on one or more datasets."""
    cells = {(one.layout.task, name): one for name, several in found.items() for one in several}
    models = tuple(
        StudyModel(
            name=name,
            group="humans" if name in people else None,
            run="runs/a",
            measures={},
            biases={},
            axes={},
            missing=(),
        )
        for name in found
    )
    return Study(models=models, biases={}, axes={}, trial_reader=reader or Reader(cells))


def report(*args, **kwargs):
    data = ErrorConsistency().data(study(*args, **kwargs))
    to_json(data)
    return data


def kappa_of(first, second):
    """Cohen's kappa from the 2 x 2 table: 2 (ad - bc) / ((a + b)(b + d) + (a + c)(c + d))."""
    pairs = list(zip(first, second, strict=True))
    a, b, c, d = (pairs.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False)))
    return 2 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d))


def only(entries, **wanted):
    (found,) = [one for one in entries if all(one[key] == value for key, value in wanted.items())]
    return found


def random_truths(seed, n=60, p=0.6):
    return (np.random.default_rng(seed).random(n) < p).tolist()


def test_published_decisions(real):
    correct, found = {}, {}
    for one in ModelVsHuman().read(real / "decisions").decisions:
        right = one.top5[:, 0, 0] == one.layout.targets[:, 0]
        correct[one.observer] = right.tolist()
        logp = np.full(one.top5.shape, np.nan, np.float16)
        found[one.observer] = [
            Trials(model=one.observer, layout=one.layout, top5=one.top5, logp=logp, correct=right[:, None])
        ]
    data = report(found, people=("subject-01", "subject-02"))
    for first, second in combinations(correct, 2):
        pair = only(data["pairs"], first=first, second=second)
        one, two = correct[first], correct[second]
        assert pair["kappa"] == pytest.approx(kappa_of(one, two), abs=1e-12)
        assert pair["observed"] == sum(a == b for a, b in zip(one, two, strict=True)) / 1280
        assert pair["accuracies"] == [sum(one) / 1280, sum(two) / 1280]
        assert pair["low"] < pair["kappa"] < pair["high"] and pair["n"] == 1280
    people = ("subject-01", "subject-02")
    for network in ("resnet50", "vgg16"):
        entry = only(data["models"], model=network)
        assert entry["kappa"] == pytest.approx(
            sum(kappa_of(correct[network], correct[person]) for person in people) / 2, abs=1e-12
        )
        differences = [(sum(correct[network]) - sum(correct[person])) / 1280 for person in people]
        assert entry["accuracy_difference"] == pytest.approx(sum(one**2 for one in differences) / 2)
    assert only(data["models"], model=BETWEEN)["kappa"] == pytest.approx(kappa_of(*(correct[one] for one in people)))
    text = render(ErrorConsistency(), data)
    assert max(map(len, text.splitlines())) <= 80 and "Pairs of observers (6)" in text


def test_means_over_conditions_then_people_then_datasets():
    n = 60
    conditions = [("0", "1", "2")[at % 3] for at in range(n)]
    kept = ["no" if one == "2" else "yes" for one in conditions]
    truth = {name: random_truths(seed, n, p) for seed, (name, p) in enumerate((("p", 0.8), ("q", 0.7), ("net", 0.5)))}
    other = {name: random_truths(seed + 10, 40) for seed, name in enumerate(truth)}
    found = {
        name: [
            trials(truth[name], variant=conditions, kept=kept),
            trials(other[name], "shape-bias@b"),
        ]
        for name in truth
    }
    data = report(found, people=("p", "q"))

    def by_hand(first, second):
        parts = [[at for at in range(n) if conditions[at] == one] for one in ("0", "1")]
        kappas = [kappa_of([truth[first][at] for at in rows], [truth[second][at] for at in rows]) for rows in parts]
        return sum(kappas) / 2

    pair = only(data["pairs"], dataset="a", first="p", second="net")
    assert pair["n"] == 40 and [one["condition"] for one in pair["conditions"]] == ["0", "1"]
    assert pair["kappa"] == pytest.approx(by_hand("p", "net"))
    on_a = (by_hand("p", "net") + by_hand("q", "net")) / 2
    on_b = (kappa_of(other["p"], other["net"]) + kappa_of(other["q"], other["net"])) / 2
    assert only(data["datasets"], dataset="a", model="net")["kappa"] == pytest.approx(on_a)
    assert only(data["models"], model="net")["kappa"] == pytest.approx((on_a + on_b) / 2)
    between = (by_hand("p", "q") + kappa_of(other["p"], other["q"])) / 2
    assert only(data["models"], model=BETWEEN)["kappa"] == pytest.approx(between)
    assert "by dataset" in render(ErrorConsistency(), data)


def test_images_are_matched_by_their_ids():
    first, second = random_truths(1, 20), random_truths(2, 20)
    backwards = trials(second[::-1], "shape-bias@a", ids=[str(at) for at in range(19, -1, -1)])
    whole = only(report({"x": [trials(first)], "y": [backwards]})["pairs"])
    assert whole["kappa"] == pytest.approx(kappa_of(first, second))
    part = trials(second[5:12], ids=[str(at) for at in range(5, 12)])
    data = report({"x": [trials(first)], "y": [part]})
    pair = only(data["pairs"])
    assert (pair["n"], pair["seen"]) == (7, [20, 7])
    assert pair["kappa"] == pytest.approx(kappa_of(first[5:12], second[5:12]))
    assert any("a: observers saw 7 to 20 images" in line for line in data["warnings"])


def test_class_names_and_not_their_numbers_decide_what_is_right():
    truth = random_truths(3, 20)
    turned = trials(random_truths(4, 20), classes=("dog", "bear", "cat"))
    assert only(report({"x": [trials(truth)], "y": [turned]})["pairs"])["reason"] is None
    dogs = trials(truth, classes=("cat", "dog", "bear"))
    dogs = replace(dogs, layout=replace(dogs.layout, classes=CLASSES))
    pair = only(report({"x": [trials(truth)], "y": [dogs]})["pairs"])
    assert pair["kappa"] is None and "different correct classes" in pair["reason"]


def test_no_shared_images_is_said_and_no_mean_is_formed():
    far = trials(random_truths(1, 5), ids=[f"far{at}" for at in range(5)])
    data = report(
        {"p": [trials(random_truths(2, 9))], "q": [trials(random_truths(3, 9))], "x": [far]}, people=("p", "q")
    )
    pair = only(data["pairs"], first="p", second="x")
    assert (pair["n"], pair["kappa"], pair["low"], pair["reason"]) == (0, None, None, "no shared images")
    entry = only(data["models"], model="x")
    assert entry["kappa"] is None and "p: no shared images; q: no shared images" in entry["reason"]
    assert only(data["models"], model=BETWEEN)["kappa"] is not None
    assert "x: a: p: no shared images" in render(ErrorConsistency(), data, width=200)


def test_a_network_that_lacks_a_dataset_has_no_mean_over_datasets():
    full = [trials(random_truths(1, 9)), trials(random_truths(2, 9), "accuracy@b")]
    data = report({"p": full, "x": full, "y": full[:1]}, people=("p",))
    assert only(data["models"], model="x")["kappa"] == 1
    lacking = only(data["models"], model="y")
    assert (lacking["kappa"], lacking["datasets"], lacking["reason"]) == (None, 1, "b: no decisions")


def test_only_decisions_on_unmodified_images_count():
    truth = random_truths(1, 9)
    found = {
        "x": [trials(truth), trials(truth, "band-pass@b"), trials(truth, "accuracy@c", shown="fog-1")],
        "y": [trials(truth), trials(truth, "band-pass@b"), trials(truth, "accuracy@c", shown="fog-1")],
    }
    assert [pair["dataset"] for pair in report(found)["pairs"]] == ["a"]


def test_two_tasks_of_one_dataset_count_once():
    both = [trials(random_truths(1, 9)), trials(random_truths(1, 9), "shape-bias@a")]
    assert len(report({"x": both, "y": both})["pairs"]) == 1


def test_observers_who_saw_other_images_are_not_compared():
    """Otherwise than most: m3 and m4 alike, m5 in a way of its own."""
    given = study({f"m{at}": [trials([True, False, True])] for at in range(1, 6)})

    def flagged(model):
        texts = {"m3": "cut to 64 pixels", "m4": "cut to 64 pixels", "m5": "in grey"}
        flags = [Remark("comparability", "top1@a", texts[model.name])] if model.name in texts else []
        return replace(model, measures={"top1@a": Measure(name="top1", value=0.5, flags=(*flags, "another flag"))})

    data = ErrorConsistency().data(replace(given, models=tuple(map(flagged, given.models))))
    reasons = {(pair["first"], pair["second"]): pair["reason"] for pair in data["pairs"]}
    assert {pair for pair, reason in reasons.items() if reason is None} == {("m1", "m2"), ("m3", "m4")}
    assert reasons["m1", "m3"] == reasons["m3", "m5"] == "cut to 64 pixels" and reasons["m2", "m5"] == "in grey"
    assert all(pair["kappa"] is None for pair in data["pairs"] if pair["reason"])


@pytest.mark.parametrize("reader", [None, Reader({})], ids=["tables alone", "no cells"])
def test_without_trials(reader):
    empty = Study(models=(), biases={}, axes={}, trial_reader=reader)
    data = ErrorConsistency().data(empty)
    assert data["pairs"] == data["models"] == []
    assert "no two observers decided on one dataset; type: harness import model-vs-human" in data["warnings"][0]
    assert "no two observers" in render(ErrorConsistency(), data)


def test_many_pairs_are_left_to_csv_and_json():
    found = {f"net{at}": [trials(random_truths(at, 12))] for at in range(13)}
    data = report(found)
    assert len(data["pairs"]) == math.comb(13, 2)
    text = render(ErrorConsistency(), data)
    assert "18 more pairs: --format csv or json" in text and any("'humans'" in line for line in data["warnings"])
    assert to_csv(ErrorConsistency().tables(data)).count("net12") >= 1


def test_observers_without_decisions_are_named_with_the_reason():
    class Torn(Reader):
        def read(self, task, model):
            if model == "torn":
                raise StoreError("shard 0 is damaged")
            return super().read(task, model)

    found = {name: [trials(random_truths(seed))] for seed, name in enumerate(("one", "two", "torn"))}
    cells = {("accuracy@a", name): several[0] for name, several in found.items()}
    given = study(found, reader=Torn(cells))
    lost = absences(tasks={"accuracy@a": "failed: NaN logits", "critical-band@a": "not run"})
    given = replace(given, models=(*given.models, replace(given.models[0], name="gone", missing=lost)))
    data = ErrorConsistency().data(given)
    assert [(pair["first"], pair["second"]) for pair in data["pairs"]] == [("one", "two")]
    expected = [
        "no decisions on accuracy@a: shard 0 is damaged: torn",
        "no decisions on accuracy@a: failed: NaN logits: gone",
    ]
    assert data["warnings"][-2:] == expected
    text = " ".join(render(ErrorConsistency(), data, "terminal").split())
    assert all(line in text for line in expected)
