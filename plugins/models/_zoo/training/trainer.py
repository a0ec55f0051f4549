"""Training of one network: deterministic for one machine, one version of torch and one device type."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..downsampling import name_of
from ..network import CLASSES, ShapesNet, build
from .augmentation import augmented, mixed
from .losses import attacked, nt_xent, supervised_contrast
from .pictures import labels, rendered
from .recipe import Contrast, Recipe

VALIDATION = 640
"""Number of held-out plain images, 40 of each class."""
_WARM_UP = 100
"""Steps of warm-up; at most about a fifth of all steps."""
Log = list[dict[str, Any]]
EpochsDone = Callable[[int, int], None]
"""Called with (epochs done, total epochs)."""


def train(
    name: str, recipe: Recipe, cache: Path, device: torch.device, start: ShapesNet | None, report_epochs: EpochsDone
) -> tuple[ShapesNet, Log]:
    """Train the network `name` on one thread, in a process of its own: it makes torch deterministic globally.

    Args:
        cache: folder of training sets. start: the network to start from, if the recipe names one.

    Returns:
        The network on the CPU in eval mode, and for each epoch the mean loss and the accuracy on 640 held-out plain
        images, in [0, 1].

    Raises:
        ArithmeticError: the loss is not finite.
        OSError: `cache` cannot be written.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic matrix products on CUDA need it
    torch.set_num_threads(1)  # a fixed order of summation
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed_of(name, recipe))
    network = build(name_of(recipe.front, recipe.downsampling))
    if start is not None:
        network.load_state_dict(start.state_dict())
    network.to(device).to(memory_format=torch.channels_last)
    if recipe.epochs == 0:
        return _settled(network), []
    trainer = _Trainer(network, recipe, cache, device, report_epochs)
    if recipe.contrast:
        trainer.contrast(recipe.contrast)
    else:
        trainer.classify(recipe.epochs)
    return _settled(network), trainer.log


def seed_of(name: str, recipe: Recipe) -> int:
    """Seed of all random numbers, from the network's name and the recipe's seed."""
    digest = np.random.SeedSequence([recipe.seed, *name.encode()])
    return int(digest.generate_state(1)[0])


def _settled(network: ShapesNet) -> ShapesNet:
    return network.cpu().to(memory_format=torch.contiguous_format).eval()


class _Trainer:
    """One network, its images, and the log so far."""

    def __init__(
        self, network: ShapesNet, recipe: Recipe, cache: Path, device: torch.device, report_epochs: EpochsDone
    ) -> None:
        self.network, self.recipe, self.device, self.report_epochs = network, recipe, device, report_epochs
        self.images, self.targets = _training_images(recipe, cache)
        held_out = rendered("shapes", VALIDATION, cache, split="validation")
        self.held_out = torch.from_numpy(held_out).permute(0, 3, 1, 2)
        self.generator = torch.Generator().manual_seed(torch.initial_seed() + 1)
        self.log: Log = []
        contrast = recipe.contrast
        self.all_epochs = contrast.epochs + contrast.head_epochs if contrast else recipe.epochs

    # --- classes -----------------------------------------------------------------------------

    def classify(self, epochs: int, *, head_alone: bool = False) -> None:
        """Cross entropy, against an adversary if the recipe has one."""
        recipe, network = self.recipe, self.network
        trained = list(network.head.parameters()) if head_alone else _trainable(network, recipe)
        optimizer = _optimizer(recipe, trained)
        for schedule in self._epochs(optimizer, epochs):
            network.train()
            if head_alone:
                network.stages.eval()
            losses = []
            for images, targets in self._batches(schedule):
                images = augmented(images, recipe.augment, self.generator)
                if recipe.augment.mixup:
                    images, targets = mixed(images, targets, recipe.augment.mixup, self.generator)
                if recipe.adversary and not head_alone:
                    images = attacked(network, images, targets, recipe.adversary, self.generator)
                loss = functional.cross_entropy(network(images), targets, label_smoothing=recipe.label_smoothing)
                losses.append(_stepped(optimizer, loss))
            self._note(sum(losses) / len(losses))

    # --- contrast ----------------------------------------------------------------------------

    def contrast(self, contrast: Contrast) -> None:
        """A contrastive loss on two augmentations of each image, then a linear layer on frozen features."""
        recipe, network = self.recipe, self.network
        projection = nn.Sequential(
            nn.Linear(network.head.in_features, 128), nn.ReLU(inplace=True), nn.Linear(128, 32)
        ).to(self.device)
        optimizer = _optimizer(recipe, [*network.stages.parameters(), *projection.parameters()])
        for schedule in self._epochs(optimizer, contrast.epochs):
            network.train()
            losses = []
            for images, targets in self._batches(schedule):
                views = torch.cat([augmented(images, recipe.augment, self.generator) for _ in range(2)])
                views = views.contiguous(memory_format=torch.channels_last)
                codes = functional.normalize(projection(network.features(views)), dim=1)
                if contrast.labels:
                    loss = supervised_contrast(codes, targets.argmax(dim=1).repeat(2), contrast.temperature)
                else:
                    loss = nt_xent(codes, contrast.temperature)
                losses.append(_stepped(optimizer, loss))
            self._note(sum(losses) / len(losses))
        self.classify(contrast.head_epochs, head_alone=True)

    # --- shared by both ----------------------------------------------------------------------

    def _epochs(self, optimizer: torch.optim.Optimizer, epochs: int) -> Iterator[Iterator[None]]:
        """Each epoch as its steps; sets the learning rate before each step: linear warm-up, then cosine decay to 0."""
        steps = len(self.images) // self.recipe.batch
        total, highest = epochs * steps, self.recipe.learning_rate
        warm_up = min(_WARM_UP, total // 5 + 1)

        def steps_of(epoch: int) -> Iterator[None]:
            for step in range(epoch * steps, (epoch + 1) * steps):
                rate = highest * min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / total))
                for group in optimizer.param_groups:
                    group["lr"] = rate
                yield

        for epoch in range(epochs):
            yield steps_of(epoch)

    def _batches(self, schedule: Iterator[None]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Images in [0, 1] and targets (B, 16) in random order."""
        shuffled = torch.randperm(len(self.images), generator=self.generator)
        order = shuffled.split(self.recipe.batch)  # type: ignore[no-untyped-call]
        for _, rows in zip(schedule, order, strict=False):
            images = self.images[rows].to(self.device).float().div_(255)
            targets = functional.one_hot(self.targets[rows], CLASSES).float().to(self.device)
            yield images, targets

    def _note(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise ArithmeticError(f"the loss is {loss} after epoch {len(self.log) + 1}; a lower learning_rate may help")
        accuracy = self._accuracy()
        self.log.append({"epoch": len(self.log) + 1, "loss": round(loss, 4), "accuracy": round(accuracy, 4)})
        self.report_epochs(len(self.log), self.all_epochs)

    def _accuracy(self) -> float:
        self.network.eval()
        hits = 0
        with torch.inference_mode():
            for start in range(0, VALIDATION, 160):
                images = self.held_out[start : start + 160].to(self.device).float().div_(255)
                answers = self.network(images.contiguous(memory_format=torch.channels_last)).argmax(dim=1).cpu()
                hits += int((answers == torch.from_numpy(labels(VALIDATION)[start : start + 160])).sum())
        return hits / VALIDATION


def _training_images(recipe: Recipe, cache: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N, 3, 64, 64) uint8 and classes (N,) int64 of all training sets."""
    images, targets = [], []
    for name, count in recipe.counts().items():
        images.append(rendered(name, count, cache))
        targets.append(labels(count))
    return torch.from_numpy(np.concatenate(images)).permute(0, 3, 1, 2), torch.from_numpy(np.concatenate(targets))


def _trainable(network: ShapesNet, recipe: Recipe) -> list[nn.Parameter]:
    """Trainable parameters. Frozen convolutions keep their weights; their normalization is trained."""
    stages: list[Any] = list(network.stages)
    frozen = {"nothing": [], "first": stages[:2], "convolutions": stages}[recipe.freeze]
    fixed = {id(stage[0].weight) for stage in frozen}
    return [parameter for parameter in network.parameters() if id(parameter) not in fixed]


def _optimizer(recipe: Recipe, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    rate, decay = recipe.learning_rate, recipe.weight_decay
    return torch.optim.SGD(parameters, lr=rate, momentum=0.9, nesterov=True, weight_decay=decay)


def _stepped(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> float:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(loss.detach())
