"""The trials of a network under the stimuli of a probe, as a run would store them, without a run."""

from dataclasses import replace

import numpy as np
import torch

from harness import LabelSpace
from harness.engine.decisions import decide
from harness.testing import make_trials


def classes_of(count):
    return tuple(f"class-{number}" for number in range(count))


def observed(stimuli, network, base=None, targets=None):
    """(trials, condition -> float64 logits (N, K)).

    Args:
        stimuli: (condition, (N, 3, S, S)) pairs, such as `Probe.stimuli` yields. network: images -> logits (N, K), in
            any precision; trials are made of float32, as networks answer.
        base: condition whose decisions are the targets. targets: (N, T) targets in their place, padded with -1.
    """
    with torch.inference_mode():
        logits = {condition: network(stimulus) for condition, stimulus, *_ in stimuli}
    count = next(iter(logits.values())).shape[1]
    space = LabelSpace(name="made", classes=classes_of(count), outputs=count)
    answers = [decide(values.float(), space) for values in logits.values()]
    top5, logp = (np.stack([getattr(answer, name).numpy() for answer in answers], 1) for name in ("top5", "logp"))
    trials = make_trials(tuple(logits), n=len(top5), classes=space.classes)
    if targets is None:
        targets = top5[:, list(logits).index(base), :1]
    trials = replace(
        trials,
        layout=replace(trials.layout, targets=targets),
        top5=top5,
        logp=logp,
        correct=(top5[:, :, :1] == targets[:, None]).any(axis=2) & (targets >= 0).any(),
    )
    return trials, {condition: values.double().numpy() for condition, values in logits.items()}


def by_name(measures):
    """``top1-change/crop`` -> the measure; each once."""
    named = {}
    for measure in measures:
        name = measure.full_name("").replace("@", "")
        assert name not in named, name
        named[name] = measure
    return named
