"""Recipes say what they mean: everything unknown, repeated or in vain is refused in one line that helps."""

from __future__ import annotations

import pytest

from harness import RequestError, UnknownNameError
from harness.plugins.models._zoo.input_filters import band
from harness.plugins.models._zoo.training.recipe import Recipe, read_recipes
from harness.plugins.models._zoo.training.request import OWN_RECIPES, reasons_to_train, selected_recipes, writable


def refused(tmp_path, text, kind=RequestError):
    file = tmp_path / "r.yaml"
    file.write_text(text)
    with pytest.raises(kind) as error:
        read_recipes(file)
    assert "\n" not in str(error.value)
    assert str(file) in str(error.value)
    return str(error.value)


def read(tmp_path, text):
    file = tmp_path / "r.yaml"
    file.write_text(text)
    return read_recipes(file)


def test_the_recipes_of_the_zoo_are_read():
    recipes = read_recipes(OWN_RECIPES)
    assert len(recipes) >= 29
    assert len({recipe.group for recipe in recipes.values() if recipe.group}) == 7
    assert reasons_to_train(recipes, recipes, OWN_RECIPES.parent / "nowhere") == dict.fromkeys(
        recipes, "not trained yet"
    )


def test_a_recipe_and_its_defaults(tmp_path):
    recipes = read(
        tmp_path, "networks:\n  my-net: {data: {shapes: 1, textures: 3}, images: 6400, augment: {low_pass: [3, 9]}}\n"
    )
    recipe = recipes["my-net"]
    assert recipe.counts() == {"shapes": 1600, "textures": 4800}
    assert recipe.augment.low_pass == (3, 9)
    assert (recipe.front, recipe.optimizer, recipe.epochs) == ("plain", "sgd", 10)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("learing_rate: 0.1", "learning_rate"),
        ("augment: {color: 0.1}", "colour"),
        ("adversary: {norm: l2, eps: 1.0}", "epsilon"),
        ("contrast: {temprature: 0.1}", "temperature"),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path, line, meant):
    message = refused(tmp_path, f"networks:\n  a: {{{line}}}\n", UnknownNameError)
    assert meant in message.partition("did you mean")[2].partition("?")[0]
    assert "networks.a" in message


def test_an_unknown_key_of_the_file(tmp_path):
    assert "did you mean 'networks'" in refused(tmp_path, "network: {}\nnetworks: {a: {}}\n", UnknownNameError)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("{learning_rate: 1e-3}", "write 0.001"),
        ("{learning_rate: .inf}", "finite"),
        ("{seed: -1}", "greater than or equal to 0"),
        ("{front: low-pass-32}", "low-pass-R"),
        ("{optimizer: adam}", "'sgd' or 'adamw', got 'adam'"),
        ("{data: {photos: 1}}", "'shapes', 'conflict', 'textures' or 'stylized'"),
        ("{data: {}}", "each training set"),
        ("{images: 64, batch: 65}", "65 for one batch"),
        ("{images: 100, batch: 32, data: {shapes: 1, conflict: 0.001}}", "each training set"),
        ("{augment: {low_pass: [9, 3]}}", "the smaller first, got [9, 3]"),
        ("{augment: {mixup: 0.01}}", "0.05 to 4"),
        ("{contrast: {}, freeze: first}", "excludes adversary"),
        ("{contrast: {}, epochs: 3}", "has its own epochs"),
        ("5", "networks.a"),
    ],
)
def test_values_that_cannot_be_meant(tmp_path, recipe, words):
    assert words in refused(tmp_path, f"networks:\n  a: {recipe}\n")


@pytest.mark.parametrize("name", ["A", "a..b", "-a", "a/b", "a b", ".a"])
def test_a_name_is_safe_as_a_file(tmp_path, name):
    assert "a name has" in refused(tmp_path, f'networks:\n  "{name}": {{}}\n')


def test_keys_that_stand_twice(tmp_path):
    assert "key 'a' is repeated" in refused(tmp_path, "networks:\n  a: {epochs: 1}\n  a: {epochs: 2}\n")
    assert "key 'epochs' is repeated" in refused(tmp_path, "networks:\n  a: {epochs: 1, epochs: 2}\n")


def test_files_that_are_none(tmp_path):
    with pytest.raises(RequestError, match=r"cannot read recipes .*nothing\.yaml: No such file"):
        read_recipes(tmp_path / "nothing.yaml")
    assert "not YAML" in refused(tmp_path, "networks: [")
    assert "networks" in refused(tmp_path, "networks: {}\n")
    assert "the file" in refused(tmp_path, "")
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="not UTF-8"):
        read_recipes(tmp_path / "r.yaml")


@pytest.mark.parametrize(
    ("front", "passing"),
    [("plain", None), ("low-pass-6", (0, 6)), ("band-pass-6-16", (6, 16)), ("high-pass-16", (16, None))],
)
def test_fronts(front, passing):
    assert band(front) == passing


@pytest.mark.parametrize("front", ["", "low-pass", "low-pass-0", "low-pass-06", "high-pass-32", "band-pass-9-9", "box"])
def test_fronts_that_do_not_exist(front):
    with pytest.raises(ValueError, match="known: plain, low-pass-R"):
        band(front)


def test_passes_count_the_work():
    images = {"images": 100, "batch": 10}
    assert Recipe.model_validate({**images, "epochs": 2}).passes() == [100, 100]
    assert Recipe.model_validate({**images, "epochs": 1, "adversary": {"norm": "l2", "epsilon": 1}}).passes() == [400]
    contrast = {**images, "contrast": {"epochs": 2, "head_epochs": 1}}
    assert Recipe.model_validate(contrast).passes() == [200, 200, 100]


# --- the start of a network ----------------------------------------------------------------


def starting(**starts):
    return {name: Recipe(start=start) for name, start in starts.items()}


def test_networks_that_begin_with_each_other(tmp_path):
    circle = starting(a="b", b="c", c="a")
    with pytest.raises(RequestError, match="a <- b <- c <- a"):
        reasons_to_train(circle, circle, tmp_path)
    own = starting(a="a")
    with pytest.raises(RequestError, match="a <- a"):
        reasons_to_train(own, own, tmp_path)


def test_what_a_network_begins_with_must_be_there(tmp_path):
    known = starting(first=None, second="first", lost="frist")
    with pytest.raises(UnknownNameError, match="did you mean 'first'"):
        reasons_to_train(known, known, tmp_path)
    with pytest.raises(RequestError, match="add --only first"):
        reasons_to_train(selected_recipes(known, ["second"], tmp_path), known, tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean 'second'"):
        selected_recipes(known, ["secnd"], tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match=r"cannot create the folder .*--out"):
        writable(tmp_path / "file" / "zoo")
