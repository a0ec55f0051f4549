"""A trained network on disk: its weights, and a card with the recipe, log and versions that produced them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import HarnessError, RequestError, sha256_of, write_whole

from ..downsampling import name_of
from .recipe import Recipe

if TYPE_CHECKING:
    from ..network import ShapesNet

WEIGHTS = Path(__file__).parents[1] / "weights"
"""The folder of the zoo's own networks."""
BUILT_IN = Path(__file__).parents[4] / "registry.yaml"
"""The registry with their entries, in a clone and in an installed wheel alike."""
_VERSIONS = ("torch", "numpy")


@dataclass(frozen=True, slots=True)
class Place:
    """The files of the network `name` in `folder`."""

    folder: Path
    name: str

    @property
    def weights(self) -> Path:
        """The state dict."""
        return self.folder / f"{self.name}.safetensors"

    @property
    def card(self) -> Path:
        """Recipe, seed, log, versions and SHA-256 of the weights, as JSON."""
        return self.folder / f"{self.name}.json"

    def read_card(self) -> dict[str, Any] | None:
        """The card; None if there is none. Raises RequestError if the file is damaged or not a card."""
        try:
            card = json.loads(self.card.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RequestError(f"cannot read {self.card}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise RequestError(f"{self.card} is damaged ({error}); delete it to train {self.name} again") from error
        if not (isinstance(card, dict) and {"recipe", "sha256"} <= card.keys()):
            raise RequestError(f"{self.card} is not the card of a network; choose another folder, or delete the file")
        return card

    def why_not(self, recipe: Recipe) -> str | None:
        """Why the network must be trained (again); None if its weights are present, intact and of this recipe."""
        from .pictures import digest as drawn

        card = self.read_card()
        if card is None or not self.weights.is_file():
            return "not trained yet"
        expected = as_json(recipe)
        changed = sorted(key for key in expected | card["recipe"] if expected.get(key) != card["recipe"].get(key))
        if changed:
            return f"its recipe differs in {', '.join(changed)}"
        if card["sha256"] != sha256_of(self.weights):
            return f"{self.weights} has changed since training"
        if card.get("images") != drawn():
            return "its training images have changed"
        if recipe.start and card.get("start_sha256") != origin(recipe.start, self.folder).digest():
            return f"{recipe.start}, from which it starts, has changed"
        return None

    def digest(self) -> str | None:
        """SHA-256 of the weights according to the card; None if there is no card."""
        card = self.read_card()
        return None if card is None else str(card["sha256"])

    def load(self) -> ShapesNet:
        """The trained network, on the CPU in eval mode. Raises RequestError if it is missing or damaged."""
        from safetensors.torch import load

        from ..network import build

        card = self.read_card()
        if card is None:
            raise RequestError(f"network {self.name!r} is not trained yet: there is no {self.card}")
        try:
            content = self.weights.read_bytes()
        except OSError as error:
            raise RequestError(f"cannot read {self.weights}: {error.strerror}") from error
        if card["sha256"] != sha256_of(self.weights):
            raise RequestError(f"{self.weights} is not what {self.card.name} describes; delete both to train it again")
        network = build(_architecture(card["recipe"]))
        network.load_state_dict(load(content))
        return network.eval()

    def save(self, network: ShapesNet, recipe: Recipe, log: list[dict[str, Any]], facts: Mapping[str, Any]) -> None:
        """Write the weights first and the card last, so that no card is without weights. Raises OSError."""
        from safetensors.torch import save

        # No evaluation reads the number of batches seen; without it, old loaders are strict too.
        state = {key: value.contiguous() for key, value in network.state_dict().items() if "num_batches" not in key}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.weights, save(state))
        card = {
            "name": self.name,
            "recipe": as_json(recipe),
            "sha256": sha256_of(self.weights),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "versions": {package: version(package) for package in _VERSIONS},
            **facts,
            "log": log,
        }
        write_whole(self.card, _printed(card) + "\n")


def origin(name: str, folder: Path) -> Place:
    """The files of the network from which another starts: in the same folder, or in the zoo."""
    beside = Place(folder, name)
    return beside if beside.card.exists() else Place(WEIGHTS, name)


def as_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe with all its defaults, as JSON values.

    Cards of earlier networks do not have `downsampling`, so it is left out where it says nothing new.
    """
    values = dict(json.loads(recipe.model_dump_json()))
    return {key: value for key, value in values.items() if (key, value) != ("downsampling", "stride")}


def _architecture(recipe: Mapping[str, Any]) -> str:
    """What stands after ``zoo:`` in an entry, of a recipe as in a card."""
    return name_of(str(recipe["front"]), recipe.get("downsampling", "stride"))


def write_registry(folder: Path) -> Path:
    """Write ``registry.yaml`` in `folder`, with an entry for each network there. Raises HarnessError."""
    import yaml

    entries = {}
    for file in sorted(folder.glob("*.json")):
        place = Place(folder, file.stem)
        card = place.read_card()
        if card is not None and place.weights.is_file():
            entries[place.name] = _entry(place, card)
    text = yaml.safe_dump({"models": entries}, sort_keys=False, width=120, allow_unicode=True)
    registry = folder / "registry.yaml"
    try:
        head = "# Written by python -m harness.plugins.models._zoo.training; for --registry of harness run.\n"
        write_whole(registry, f"{head}{text}")
    except OSError as error:
        raise HarnessError(f"cannot write {registry}: {error.strerror}") from error
    return registry


def _entry(place: Place, card: Mapping[str, Any]) -> dict[str, Any]:
    recipe = card["recipe"]
    return {
        "source": "checkpoint",
        **({"group": recipe["group"]} if recipe["group"] else {}),
        "arch": f"zoo:{_architecture(recipe)}",
        "weights": f"file:{place.weights.name}",
        "sha256": card["sha256"],
        "label_space": "shapes-16",
        "outputs": 16,
        "title": recipe["title"] or place.name,
    }


def _printed(card: Mapping[str, Any]) -> str:
    """Indented JSON with one line for each epoch."""
    text = json.dumps({**card, "log": []}, indent=1)
    lines = ",\n".join("  " + json.dumps(entry) for entry in card["log"])
    return text.replace('"log": []', f'"log": [\n{lines}\n ]') if lines else text


def pin(registry: Path) -> int:
    """Write the SHA-256 of the zoo's weights into their entries in `registry`; return the number of changes.

    Raises:
        HarnessError: the file cannot be written.
    """
    before = registry.read_text(encoding="utf-8")
    after, changed = before, 0
    for card in sorted(WEIGHTS.glob("*.json")):
        name = re.escape(card.stem)
        entry = re.compile(
            rf'(file:plugins/models/_zoo/weights/{name}\.safetensors\n +sha256: ")'
            rf"(?!{Place(WEIGHTS, card.stem).digest()})\w*"
        )
        after, count = entry.subn(rf"\g<1>{Place(WEIGHTS, card.stem).digest()}", after)
        changed += count
    if changed:
        try:
            write_whole(registry, after)
        except OSError as error:
            raise HarnessError(f"cannot write {registry}: {error.strerror}") from error
    return changed
