"""`shapes-placed` says where the renderer drew: compared with the pixels of the masks that it renders."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from harness import DatasetError, Preprocessing
from harness.data.manifest import build, dataset_identity
from harness.plugins.datasets.shapes import Shapes, ShapesPlaced, harness_datasets, scene, silhouettes
from harness.plugins.datasets.shapes.base import numbered

PLACED = ShapesPlaced()
ANYWHERE = next(dataset for dataset in harness_datasets() if dataset.name == "shapes-anywhere")
SAMPLES = PLACED.samples(PLACED.root())


def mask_of(sample):
    """Coverage of the object in the scene that the renderer composes for this image: (64, 64), 0 to 1."""
    label, _ = numbered(sample.id)
    composed = scene.scene((label,), (label,), PLACED.stream(sample.id), PLACED.look)
    ((layers, _, _),) = composed.objects
    return layers.mask / 256


def moments(mask):
    """Area, centroid (x, y) and covariance of a coverage, in its own points; the centre of the first is at 0.5."""
    y, x = np.mgrid[: len(mask), : len(mask)] + 0.5
    area = mask.sum()
    centre = np.array([(mask * x).sum(), (mask * y).sum()]) / area
    away = np.stack([x - centre[0], y - centre[1]])
    return area, centre, np.einsum("ihw,jhw,hw->ij", away, away, mask) / area


def designed(label):
    """Area, centroid and covariance of an upright silhouette about its centre, in units of its half size."""
    atlas = silhouettes.atlas()[label].astype(float)
    point = 2 * silhouettes.REACH / silhouettes.SIDE
    area, centre, spread = moments(atlas)
    return area * point**2, (centre - silhouettes.SIDE / 2) * point, spread * point**2


@pytest.mark.parametrize("sample", SAMPLES[::9], ids=lambda sample: sample.id)
def test_places_are_those_of_the_rendered_pixels(sample):
    """Centroid, extent and area of the mask are those of the silhouette, turned, scaled and moved."""
    x, y, size, tilt = map(float, sample.attributes)
    area, offset, _ = designed(numbered(sample.id)[0])
    mask, half, angle = mask_of(sample), 32 * size, math.radians(tilt)
    turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ offset
    drawn, centre, _ = moments(mask)
    assert centre == pytest.approx(64 * np.array([x, y]) + half * turned, abs=0.3)
    assert math.sqrt(drawn) == pytest.approx(half * math.sqrt(area), rel=0.02)
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    reach = half * math.sqrt(2) * silhouettes.REACH
    for low, high, middle in ((rows[0], rows[-1] + 1, 64 * y), (columns[0], columns[-1] + 1, 64 * x)):
        assert middle - reach < low < middle < high < middle + reach


def slim(label):
    """Whether the second moments of a silhouette have a clear direction."""
    low, high = np.linalg.eigvalsh(designed(label)[2])
    return high > 1.5 * low


def direction(spread):
    """Direction of the long axis of a covariance, in turns of 180 degrees: (-90, 90]."""
    return math.degrees(0.5 * math.atan2(2 * spread[0, 1], spread[0, 0] - spread[1, 1]))


def test_tilt_is_the_rotation_of_the_rendered_pixels():
    """The long axis turns with the object: clockwise where y points down, to a degree."""
    compared = [sample for sample in SAMPLES if slim(numbered(sample.id)[0])]
    assert len({sample.id.partition("-")[0] for sample in compared}) > 4
    for sample in compared[::7]:
        turned = direction(moments(mask_of(sample))[2]) - direction(designed(numbered(sample.id)[0])[2])
        assert (turned - float(sample.attributes[3]) + 90) % 180 - 90 == pytest.approx(0, abs=1), sample.id


def test_images_are_those_of_shapes():
    plain = Shapes()
    assert [replace(sample, attributes=()) for sample in SAMPLES] == plain.samples(plain.root())
    for sample in SAMPLES[::80]:
        assert (PLACED.pixels(sample) == plain.pixels(sample)).all()
    assert PLACED.place(SAMPLES[0].id) != replace(PLACED, seed=1).place(SAMPLES[0].id)


@pytest.mark.parametrize("sample", ANYWHERE.samples(ANYWHERE.root())[::97], ids=lambda sample: sample.id)
def test_objects_anywhere_are_where_they_are_said_to_be(sample):
    """The mask of the scene is that of the object drawn at the stated place; beyond the edges there is nothing."""
    x, y, size, tilt = map(float, sample.attributes)
    label, _ = numbered(sample.id)
    look = replace(ANYWHERE.look, margin=0.0)
    ((layers, _, _),) = scene.scene((label,), (label,), ANYWHERE.stream(sample.id), look).objects
    at = scene.Pose(x=64 * x, y=64 * y, radius=32 * size, turn=tilt / 360)
    assert np.abs(scene.layers(label, label, at).mask - layers.mask).sum() <= 256, "a pixel, for six decimals"
    field = scene.picture((label,), (label,), ANYWHERE.stream(sample.id), look)
    assert (field == ANYWHERE.pixels(sample)).all()


def test_margins():
    """Centres are uniform from the margin on; 24 pixels are those of `shapes`, and no margin is the whole image."""
    for margin in (0, 10, 24):
        dataset = ShapesPlaced(margin=margin, images=800)
        places = np.array([sample.attributes[:2] for sample in dataset.samples(dataset.root())], float).ravel()
        low, width = margin / 64, 1 - 2 * margin / 64
        assert kstest(places, "uniform", (low, width)).pvalue > 0.001
    with pytest.raises(ValueError, match="expected 0 to 32 pixels"):
        ShapesPlaced(margin=33)


def test_the_identity_of_shapes_stays():
    """Places are part of the identity of `shapes-placed`, and of nothing else."""
    shapes = Shapes(images=32)
    manifest = build(shapes, shapes.root())
    assert manifest.digest == "02389ffff1f41bffb0b1310a9ad34ffb7e32bc9511f56daef9d54032c6bdd1aa"
    assert set(dataset_identity(shapes, manifest)) == {
        "name", "preprocessing", "seed", "images", "version", "n", "manifest",
    }  # fmt: skip
    assert build(ShapesPlaced(images=32), shapes.root()).digest != manifest.digest


@pytest.mark.parametrize(
    "shown", [Preprocessing(resize=72, size=64), Preprocessing(resize=(64, 80), size=64), Preprocessing(native=True)]
)
def test_places_in_cropped_images_are_refused(shown):
    with pytest.raises(DatasetError, match="places are known in whole images only"):
        replace(PLACED, preprocessing=shown).samples(PLACED.root())
    enlarged = replace(PLACED, preprocessing=Preprocessing(resize=224, size=224))
    assert enlarged.samples(PLACED.root()) == SAMPLES
