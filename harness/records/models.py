"""A checkpoint as the registry describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingRecipe:
    """How a state-dict file becomes the state dict of its architecture, step by step.

    Attributes:
        wrapper_keys: keys to unwrap, outermost first; empty: the well-known ones are tried, then the file itself.
        select_prefix: keep only the keys that start with it (before stripping).
        strip_prefixes: prefixes removed once from the start of each key, where present.
        drop: glob patterns of keys to leave out, after stripping; it also names what is no tensor, and a normalization
            of the file that the entry deliberately does not have.
        rename: ordered (regular expression, replacement) pairs applied to each key.
        head: URI of a second file that holds the classifier.
        head_sha256: digest (or its first hex digits) that the head file must have; None: recorded on first use.
        head_wrapper_keys, head_rename: as `wrapper_keys` and `rename`, for the head file.
        match: ``"name"``, or ``"position"`` (same order, equal shapes *and* equal leaf names).
        safe_globals: importable names allowed in the pickle beside torch's own list.
        rows: ``first:last`` (last excluded), the outputs to keep of a classifier that has more than the entry states:
            ``1:1001`` leaves out the background class of networks from TensorFlow. None: all.
    """

    wrapper_keys: tuple[str, ...] = ()
    select_prefix: str | None = None
    strip_prefixes: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    head: str | None = None
    head_sha256: str | None = None
    head_wrapper_keys: tuple[str, ...] = ()
    head_rename: tuple[tuple[str, str], ...] = ()
    match: Literal["name", "position"] = "name"
    safe_globals: tuple[str, ...] = ()
    rows: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One registered checkpoint.

    Attributes:
        name: published name; part of every measure, so never reused.
        source: name of the model source that loads it.
        arch: architecture, in the source's words (``timm:resnet50``, ``torchvision:resnet50``).
        weights: URIs in order of preference: ``package:NAME/path``, ``file:PATH``, ``https://…``, ``timm:…``.
        mean, std: the normalization that the *model* applies to images in [0, 1]; None: none.
        label_space, outputs: meaning and number of its logits.
        sha256: digest (or its first hex digits) that the checkpoint file must have; None: recorded on first use.
        bytes: size of the download, where it is known.
        expected: full name of a measure -> its published value, and how far the measured one may lie from it; None: as
            far as its 95 % interval reaches. It enters no identity.
        options: further settings that the source declares and validates.
        base: folder against which relative ``file:`` URIs are resolved (the folder of the registry file).
    """

    name: str
    source: str
    group: str | None = None
    arch: str | None = None
    weights: tuple[str, ...] = ()
    recipe: LoadingRecipe = field(default_factory=LoadingRecipe)
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    label_space: str = "imagenet-1k"
    outputs: int = 1000
    sha256: str | None = None
    bytes: int | None = None
    aliases: tuple[str, ...] = ()
    title: str = ""
    citation: str = ""
    license: str = ""
    notes: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    expected: Mapping[str, tuple[float, float | None]] = field(default_factory=dict)
    base: Path = field(default_factory=Path)

    @property
    def asked(self) -> str:
        """The model and who loads it, as messages name them: ``model 'mine': its source 'checkpoint'``."""
        return f"model {self.name!r}: its source {self.source!r}"
