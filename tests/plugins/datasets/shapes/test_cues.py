"""`shapes-cues`: the images of `shapes`, and one cue of each drawn at random, of any class alike."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from harness.plugins.datasets.shapes import Shapes, ShapesCues, scene
from harness.plugins.datasets.shapes.base import CLASSES, numbered
from harness.plugins.probes.shape_bias import ShapeBias

CUES = ShapesCues()
SAMPLES = CUES.samples(CUES.root())
RANDOM = ("random-texture", "random-silhouette")


def shown(sample, view):
    return CUES.pixels(replace(sample, view=view))


def drawn_in(dataset, view):
    """The class of each image and that of its drawn cue."""
    place = dataset.attributes.index(view)
    return [(sample.targets[0], CLASSES.index(sample.attributes[place])) for sample in dataset.samples(dataset.root())]


def test_with_all_cues_the_images_are_those_of_shapes():
    plain = Shapes(images=256)
    assert [replace(sample, attributes=()) for sample in SAMPLES] == plain.samples(plain.root())
    for sample in SAMPLES[::50]:
        assert (shown(sample, "all-cues") == plain.pixels(sample)).all()


@pytest.mark.parametrize("changes", [{}, {"seed": 7}, {"images": 768}], ids=str)
@pytest.mark.parametrize("view", RANDOM)
def test_each_pair_of_classes_is_in_each_view_equally_often(view, changes):
    """So the drawn cue tells nothing about the class, and one who reads it alone is right on 1 of 16 images."""
    dataset = replace(CUES, **changes)
    pairs = Counter(drawn_in(dataset, view))
    assert len(pairs) == 256 and set(pairs.values()) == {dataset.images // 256}


def test_draws_depend_on_seed_cue_class_and_number_alone():
    textures, silhouettes = (drawn_in(CUES, view) for view in RANDOM)
    assert textures != silhouettes
    more = replace(CUES, images=600)
    assert drawn_in(more, RANDOM[0])[:256] == textures != drawn_in(replace(CUES, seed=1), RANDOM[0])
    assert drawn_in(replace(CUES, name="mine"), RANDOM[0]) == textures
    of_classes = {label: tuple(other for one, other in textures if one == label) for label in range(16)}
    assert len(set(of_classes.values())) == 16, "each class has an order of its own"
    assert drawn_in(more, RANDOM[0])[256:512] != textures, "and each 16 images of it"


def best(pixels, at, pairs):
    """Which (silhouette, texture) at this place separates the pixels best: the least spread within its parts."""
    image, spreads = pixels.astype(float), []
    for shape, texture in pairs:
        layers = scene.layers(shape, texture, at)
        parts = np.where(layers.pattern > 128, 2, np.where(layers.mask > 128, 1, 0))
        spreads.append(sum(((image[parts == part] - image[parts == part].mean(0)) ** 2).sum() for part in (0, 1, 2)))
    return pairs[int(np.argmin(spreads))]


@pytest.mark.parametrize("sample", SAMPLES[8::52], ids=lambda sample: sample.id)
def test_the_pixels_show_the_drawn_cue_and_the_other_one_of_the_class(sample):
    """By the pose, the first thing that the renderer draws from the stream."""
    at, (label, _) = scene.pose(CUES.stream(sample.id), CUES.look), numbered(sample.id)
    texture, silhouette = (CLASSES.index(name) for name in sample.attributes)
    of_textures, of_shapes = [(label, other) for other in range(16)], [(other, label) for other in range(16)]
    assert best(shown(sample, "random-texture"), at, of_textures) == (label, texture)
    assert best(shown(sample, "random-silhouette"), at, of_shapes) == (silhouette, label)


@pytest.mark.parametrize("sample", SAMPLES[3::52], ids=lambda sample: sample.id)
def test_all_else_stays_as_it_is(sample):
    """Another texture changes pixels of the object alone; another silhouette none beyond the objects and shadows."""
    label, _ = numbered(sample.id)
    at, whole = scene.pose(CUES.stream(sample.id), CUES.look), shown(sample, "all-cues")
    changed = (shown(sample, "random-texture") != whole).any(axis=2)
    assert not changed[scene.layers(label, label, at).mask == 0].any()
    silhouette = CLASSES.index(sample.attributes[1])
    objects = (scene.layers(label, label, at).mask + scene.layers(silhouette, label, at).mask) > 0
    shaded = binary_dilation(objects, np.ones((3, 3)), iterations=6)
    moved = (shown(sample, "random-silhouette") != whole).any(axis=2)
    assert not shaded.all() and not moved[~shaded].any()


def test_the_own_cue_leaves_the_image_as_it_is():
    for place, view in enumerate(RANDOM):
        own = [sample for sample in SAMPLES if sample.attributes[place] == CLASSES[sample.targets[0]]]
        assert len(own) == 16
        assert (shown(own[5], view) == shown(own[5], "all-cues")).all()
        other = next(sample for sample in SAMPLES if sample not in own)
        assert (shown(other, view) != shown(other, "all-cues")).any()


def test_shape_bias_does_not_take_the_drawn_cues_for_a_conflict_in_every_view():
    assert not set(ShapeBias.attributes) <= set(CUES.attributes)
