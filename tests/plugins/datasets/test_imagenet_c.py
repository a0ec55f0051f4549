"""ImageNet-C and -C-bar: every view holds the same images, and each severity is what its name says."""

from __future__ import annotations

import shutil

import pytest

from harness import Preprocessing, RequestError
from harness.discovery.parameters import with_parameters
from harness.plugins.datasets import imagenet_cbar
from harness.plugins.datasets._imagenet_classes import real_labels, wnids
from harness.plugins.datasets.imagenet_c import ALL, ARCHIVES, USUAL, ImageNetC
from harness.plugins.datasets.imagenet_cbar import ImageNetCBar
from tests.helpers.trees import grow, paint, painted, refusal

NINETEEN, FIFTEEN = ImageNetC(), ImageNetC(name="imagenet-c-15", corruptions=USUAL)
SOME = ImageNetC(corruptions=("fog", "spatter"))
BAR = ImageNetCBar()
CLASSES = (3, 10, 2)
"""Of the painted trees: not in the order of their names."""


def build(root, corruptions, levels, images=2):
    """A tree of tiny images that say their class and view; views are counted in the order of the arguments."""
    view = 0
    for corruption in corruptions:
        for level in levels(corruption) if callable(levels) else levels:
            for index in CLASSES:
                for number in range(images):
                    name = f"ILSVRC2012_val_{100 * index + number + 1:08}.JPEG"
                    paint(root / corruption / level / wnids()[index] / name, index, view)
            view += 1
    return root


def check_views(dataset, root, images=6):
    """Every view of every sample is the file that says so."""
    samples = list(dataset.samples(root))
    assert len(samples) == images
    for number, view in enumerate(dataset.views()):
        for sample in samples:
            assert painted(dataset.folder(root, view) / sample.id) == (sample.targets[0], number), view
    first = dataset.views()[0]
    assert all(sample.path == dataset.folder(root, first) / sample.id for sample in samples)
    return samples


def levels():
    return [str(severity) for severity in range(1, 6)]


def by_parameter(corruption):
    return [f"{value:.2f}" for value in imagenet_cbar.PARAMETERS[corruption]]


# --- ImageNet-C ------------------------------------------------------------------------------


def test_facts():
    assert (NINETEEN.name, NINETEEN.path, len(NINETEEN.views())) == ("imagenet-c", "imagenet-c", 95)
    assert (FIFTEEN.path, len(FIFTEEN.views())) == ("imagenet-c", 75)
    assert NINETEEN.views()[:6] == (*(f"gaussian_noise-{k}" for k in range(1, 6)), "shot_noise-1")
    assert set(ALL) - set(USUAL) == {"speckle_noise", "gaussian_blur", "spatter", "saturate"}
    assert NINETEEN.preprocessing == Preprocessing(resize=None, size=224) == BAR.preprocessing
    assert NINETEEN.release().images == FIFTEEN.release().images == BAR.release().images == 50_000
    names = [download.uri.rpartition("/")[2] for download in NINETEEN.release().downloads]
    assert names == ["noise.tar", "blur.tar", "weather.tar", "digital.tar", "extra.tar"]
    assert [download.uri.rpartition("/")[2] for download in FIFTEEN.release().downloads] == names[:4]
    assert NINETEEN.release().bytes - FIFTEEN.release().bytes == 15_789_490_144
    assert [download.uri.rpartition("/")[2] for download in SOME.release().downloads] == ["weather.tar", "extra.tar"]


def test_all_views_of_a_part_of_the_images(tmp_path):
    build(tmp_path, ALL, levels())
    (tmp_path / "README.md").touch()
    samples = check_views(NINETEEN, tmp_path)
    remark = "in each of 95 views: 6 of 50,000 images, 3 of 1,000 classes (partial tree)"
    assert list(NINETEEN.remarks(samples)) == [remark]
    for corruption in ARCHIVES["extra"]:
        shutil.rmtree(tmp_path / corruption)
    assert len(list(FIFTEEN.samples(tmp_path))) == 6
    message = refusal(NINETEEN, tmp_path)
    assert "has no folder 'speckle_noise'" in message and "extra.tar" in message and "imagenet-c-15" in message


@pytest.fixture
def some(tmp_path):
    return build(tmp_path / "imagenet-c", SOME.corruptions, levels())


def test_a_view_that_lacks_an_image(some):
    lost = some / "fog" / "4" / wnids()[10] / "ILSVRC2012_val_00001001.JPEG"
    lost.unlink()
    message = refusal(SOME, some)
    assert f"{some / 'fog' / '4'} has no {wnids()[10]}/{lost.name}" in message
    assert "all 10 views must have the same images" in message and "weather.tar" in message


def test_a_view_that_has_one_image_more(some):
    (some / "spatter" / "5" / wnids()[10] / "more.JPEG").touch()
    message = refusal(SOME, some)
    assert f"has {wnids()[10]}/more.JPEG, which is not in {some / 'fog' / '1'}" in message and "extra.tar" in message


def test_a_view_that_lacks_a_class_or_has_one_more(some):
    shutil.rmtree(some / "spatter" / "2" / wnids()[3])
    assert f"{some / 'spatter' / '2'} has no {wnids()[3]}/ILSVRC" in refusal(SOME, some)
    shutil.rmtree(some / "fog" / "1" / wnids()[3])
    assert f"{some / 'fog' / '2'} has {wnids()[3]}/" in refusal(SOME, some)


def test_hidden_files_do_not_count(some):
    (some / "spatter" / "2" / wnids()[3] / ".DS_Store").touch()
    (some / "spatter" / "3" / wnids()[3] / "Thumbs.db").touch()
    check_views(SOME, some)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda root: shutil.rmtree(root / "spatter" / "3"), ["has no severity 3", "extra.tar"]),
        (lambda root: (root / "fog" / "6").mkdir(), ["fog/6 is none of the severities 1, 2, 3, 4, 5"]),
        (lambda root: (root / "fog" / wnids()[0]).mkdir(), ["fog has class folders", "weather.tar"]),
        (lambda root: (root / "fog" / "1" / "x").mkdir(), ["none of the 1,000 ImageNet classes"]),
        (lambda root: (root / "fog" / "2" / "x").mkdir(), ["fog/2 has x/"]),
    ],
)
def test_strange_and_missing_folders(change, words, some):
    change(some)
    message = refusal(SOME, some)
    assert all(word in message for word in words)


def test_one_level_too_high_or_too_low(some, tmp_path):
    for root in (tmp_path, some / "fog", some / "fog" / "1"):
        assert refusal(SOME, root).endswith(f"Type: --data imagenet-c={some}"), root


def test_folders_named_after_the_archives(tmp_path):
    build(tmp_path / "weather", ["fog"], levels())
    build(tmp_path / "extra", ["spatter"], levels())
    message = refusal(SOME, tmp_path)
    assert "one level below, in extra, weather" in message and f"mv {tmp_path}/*/* {tmp_path}" in message


def test_nothing_there(tmp_path):
    assert "weather.tar of https://zenodo.org/records/2235448" in refusal(SOME, tmp_path)


def test_a_scrambled_tree(tmp_path):
    numbers = [number for number in range(1, 400) if real_labels()[number - 1]][:250]
    for number in numbers:
        wrong = next(index for index in range(1000) if index not in real_labels()[number - 1])
        for level in levels():
            folder = tmp_path / "fog" / level / wnids()[wrong]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"ILSVRC2012_val_{number:08}.JPEG").touch()
    assert "scrambled: only 0 of 250" in refusal(ImageNetC(corruptions=("fog",)), tmp_path)


@pytest.mark.parametrize(
    ("given", "words"),
    [(["mist"], "none of gaussian_noise"), ([], "none of gaussian_noise"), (["fog", "fog"], "named twice")],
)
def test_corruptions_are_checked(given, words):
    with pytest.raises(RequestError, match=words):
        with_parameters(NINETEEN, {"corruptions": given}, "dataset 'mine'")
    assert with_parameters(NINETEEN, {"corruptions": ["snow"]}, "dataset 'mine'").views()[4] == "snow-5"


# --- ImageNet-C-bar --------------------------------------------------------------------------


@pytest.mark.parametrize("naming", [lambda corruption: levels(), by_parameter], ids=["published", "generated"])
def test_severity_k_is_the_kth_parameter(naming, tmp_path):
    build(tmp_path, BAR.corruptions, naming, images=1)
    (tmp_path / "sparkles" / "notes.md").touch()
    samples = check_views(BAR, tmp_path, images=3)
    assert len(BAR.views()) == 50 and BAR.views()[-1] == "sparkles-5"
    assert next(iter(BAR.remarks(samples))).startswith("in each of 50 views: 3 of 50,000")


def test_the_trap_is_there():
    """For these corruptions the order of the names is not that of the parameters."""
    trapped = [name for name in imagenet_cbar.PARAMETERS if sorted(by_parameter(name)) != by_parameter(name)]
    assert trapped == ["cocentric_sine_waves", "inverse_sparkles", "plasma_noise"]


def test_names_may_not_be_mixed(tmp_path):
    some = ImageNetCBar(corruptions=("sparkles", "perlin_noise"))
    build(tmp_path, ["sparkles"], levels(), images=1)
    build(tmp_path, ["perlin_noise"], by_parameter, images=1)
    assert "must not be mixed" in refusal(some, tmp_path)
    build(tmp_path, ["sparkles"], by_parameter, images=1)
    assert "must not be mixed" in refusal(ImageNetCBar(corruptions=("sparkles",)), tmp_path)


def test_unknown_and_missing_parameters(tmp_path):
    one = ImageNetCBar(corruptions=("perlin_noise",))
    build(tmp_path, ["perlin_noise"], by_parameter, images=1)
    (tmp_path / "perlin_noise" / "5.20").rename(tmp_path / "perlin_noise" / "5.30")
    assert "5.30 is none of the severities 4.60, 5.20, 5.80, 7.60, 8.80" in refusal(one, tmp_path)
    shutil.rmtree(tmp_path / "perlin_noise" / "5.30")
    assert "has no severity 5.20" in refusal(one, tmp_path)


def test_what_the_tarball_unpacks_to_is_found(tmp_path):
    grow(tmp_path / "cbar_download", {"sparkles/1": [], "perlin_noise/1": []})
    assert refusal(BAR, tmp_path).endswith(f"Type: --data imagenet-cbar={tmp_path / 'cbar_download'}")
    (download,) = BAR.release().downloads
    assert download.rename == ("cbar_download", BAR.path)
