"""Every mode of Pillow: converted value by value as NumPy says, or refused by name. Nothing is clipped."""

import hashlib
import io
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from harness import ImageError, Preprocessing, Sample
from harness.data.decoding import content_digest, pixels, preprocess
from harness.data.manifest import build
from harness.data.modes import DEEP_GREY, EIGHT_BIT, as_rgb, is_cut
from tests.harness.data.test_decoding import Files, noise, oracle

WIDTH, HEIGHT = 7, 5
BANDS = {"1": 1, "L": 1, "P": 1, "LA": 2, "PA": 2, "RGB": 3, "YCbCr": 3, "RGBA": 4, "RGBX": 4, "CMYK": 4}


def png(values, colour_type):
    """A PNG of 16 bits a channel as the specification describes it, from (H, W, C) values."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return Image.open(io.BytesIO(b"\x89PNG\r\n\x1a\n" + parts))


def saved(image, kind, **how):
    file = io.BytesIO()
    image.save(file, kind, **how)
    return Image.open(io.BytesIO(file.getvalue()))


def cmyk_in_numpy(values):
    """Each ink darkens what black leaves, divided by 255 and rounded."""
    ink, black = values[..., :3].astype(int), values[..., 3:].astype(int)
    left = 255 - black
    return np.clip(left - np.floor(ink * left / 255 + 0.5), 0, 255)


def jfif_in_numpy(values):
    """ITU-T T.871, section 7, in floating point."""
    y, blue, red = (values[..., band].astype(float) for band in range(3))
    parts = y + 1.402 * (red - 128), y - 0.344136 * (blue - 128) - 0.714136 * (red - 128), y + 1.772 * (blue - 128)
    return np.clip(np.stack(parts, axis=-1), 0, 255)


def expected(mode, values, palette):
    if mode in ("L", "LA"):
        return np.repeat(values[..., :1], 3, axis=-1)
    if mode in ("P", "PA"):
        return palette[values[..., 0]]
    return {"CMYK": cmyk_in_numpy, "YCbCr": jfif_in_numpy}.get(mode, lambda given: given[..., :3])(values)


def test_the_modes_of_this_pillow_are_converted_or_refused_and_none_is_forgotten():
    assert set(BANDS) == EIGHT_BIT
    for mode in Image.MODES:
        if mode not in EIGHT_BIT | DEEP_GREY:
            with pytest.raises(ImageError, match=f"has the mode {mode} .*8-bit RGB or grey"):
                as_rgb(Image.new(mode, (2, 2)))


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(sorted(set(BANDS) - {"1"})), st.integers(0, 2**32 - 1))
def test_eight_bit_modes_equal_numpy(mode, seed):
    values = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, BANDS[mode]), dtype=np.uint8)
    palette = np.random.default_rng(seed + 1).integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.frombytes(mode, (WIDTH, HEIGHT), values.tobytes())
    if mode in ("P", "PA"):
        image.putpalette(palette.tobytes())
    difference = np.asarray(as_rgb(image)).astype(float) - expected(mode, values, palette)
    assert np.abs(difference).max() <= (1.5 if mode == "YCbCr" else 0)


def test_one_bit_is_black_and_white():
    bits = np.random.default_rng(0).integers(0, 2, (HEIGHT, WIDTH)).astype(bool)
    assert np.array_equal(np.asarray(as_rgb(Image.fromarray(bits))), np.repeat(bits[..., None] * 255, 3, axis=-1))


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(DEEP_GREY)), st.integers(0, 2**32 - 1))
def test_sixteen_bits_are_scaled_and_not_clipped(mode, seed):
    values = np.random.default_rng(seed).integers(0, 65_536, (HEIGHT, WIDTH))
    values[0, :2] = 0, 65_535
    kind = {"I": "<i4", "I;16B": ">u2"}.get(mode, "<u2")
    image = Image.frombytes(mode, (WIDTH, HEIGHT), values.astype(kind).tobytes())
    scaled = np.rint(values / 257).astype(np.uint8)
    assert np.array_equal(np.asarray(as_rgb(image)), np.repeat(scaled[..., None], 3, axis=-1))


@pytest.mark.parametrize(
    ("kind", "how"),
    [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("PPM", {}), ("JPEG2000", {})],
    ids=["png", "tiff", "tiff-lzw", "pgm", "jp2"],
)
def test_a_grey_file_of_sixteen_bits_has_the_pixels_of_its_eight_bit_twin(kind, how):
    grey = noise(300, 280, "L")
    deep = saved(Image.fromarray(np.asarray(grey).astype("uint16") * 257), kind, **how)
    assert deep.mode in DEEP_GREY
    assert np.array_equal(preprocess(deep, Preprocessing()), oracle(grey))


@pytest.mark.parametrize(
    ("low", "high"), [(0, 255), (0, 1_023), (0, 4_095), (0, 65_536), (-1, 40_000), (-2_147_483_648, 2_147_483_647)],
    ids=["8 bits in 16", "10 bits in 16", "12 bits in 16", "17 bits", "signed", "32 bits"],
)  # fmt: skip
def test_grey_values_of_another_range_are_refused(low, high):
    values = np.array([[low, high]], dtype=np.int32)
    for image in (Image.fromarray(values), saved(Image.fromarray(values), "TIFF")):
        with pytest.raises(ImageError, match=rf"from {low:,} to {high:,}, expected 16 bits"):
            as_rgb(image)


def test_a_black_image_of_sixteen_bits_is_black():
    assert not np.asarray(as_rgb(Image.fromarray(np.zeros((2, 2), np.uint16)))).any()


def test_sixteen_bits_in_which_zero_is_white_are_refused():
    inverted = saved(Image.fromarray(np.full((4, 4), 60_000, np.uint16)), "TIFF", tiffinfo={262: 0})
    assert inverted.mode in DEEP_GREY and inverted.tag_v2[262] == 0
    with pytest.raises(ImageError, match="0 is white"):
        as_rgb(inverted)


@pytest.mark.parametrize("kind", [np.int8, np.int16])
def test_signed_values_are_refused_and_wide_ones_are_not(kind):
    """Pillow takes 127 for a middle grey, and 32,767 for the half of white."""
    for values, refused in ((np.full((4, 4), np.iinfo(kind).max, kind), True), (np.full((4, 4), 65_535, "i4"), False)):
        file = io.BytesIO()
        tags = {256: 4, 257: 4, 258: values.itemsize * 8, 259: 1, 262: 1, 277: 1, 278: 4, 279: values.nbytes, 339: 2}
        entries = sorted({**tags, 273: 8 + 2 + 12 * 10 + 4}.items())
        directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
        file.write(b"II*\0" + struct.pack("<IH", 8, 10) + directory + bytes(4) + values.tobytes())
        image = Image.open(file)
        if refused:
            with pytest.raises(ImageError, match=r"has signed values.*8-bit RGB or grey"):
                as_rgb(image)
        else:
            assert (np.asarray(as_rgb(image)) == 255).all()


def test_colours_of_sixteen_bits_in_a_ppm_are_seen():
    for white, cut in ((65_535, True), (255, False), (100, False)):
        size = 6 if white > 255 else 3
        content = b"P6\n2 2\n%d\n" % white + bytes(4 * size)
        assert is_cut(Image.open(io.BytesIO(content))) == cut


@pytest.mark.parametrize(("colour_type", "channels", "mode"), [(2, 3, "RGB"), (4, 2, "RGBA"), (6, 4, "RGBA")])
def test_of_sixteen_bits_a_channel_the_upper_eight_are_kept_and_it_is_seen(colour_type, channels, mode):
    values = np.random.default_rng(0).integers(0, 65_536, (HEIGHT, WIDTH, channels))
    image = png(values, colour_type)
    assert is_cut(image) and image.mode == mode
    colours = np.repeat(values[..., :1], 3, axis=-1) if channels < 3 else values[..., :3]
    assert np.array_equal(np.asarray(as_rgb(image)), colours >> 8)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "BMP", "GIF", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_ordinary_files_are_not_cut(kind, mode):
    assert not is_cut(saved(noise(8, 8, mode), kind))


def test_a_grey_png_of_sixteen_bits_is_not_cut():
    assert not is_cut(png(np.full((2, 2, 1), 300), 0))


def test_a_floating_point_file_is_named_with_the_way_on(tmp_path):
    Image.fromarray(np.random.default_rng(0).random((260, 260), dtype=np.float32)).save(tmp_path / "x.tif")
    (sample,) = Files().samples(tmp_path)
    with pytest.raises(ImageError) as caught:
        pixels(Files(), sample)
    assert str(caught.value) == (
        "image x.tif of files has the mode F (floating-point grey values, whose range is not defined), which has no "
        f"exact RGB. Save it as 8-bit RGB or grey ({tmp_path / 'x.tif'})"
    )


def test_the_digest_of_a_generated_image_is_that_of_its_converted_pixels():
    class Generated(Files):
        def image(self, sample):
            return Image.fromarray(np.full((2, 2), int(sample.id) * 257, np.uint16))

    digests = [content_digest(Generated(), Sample(id=value, targets=(0,))) for value in ("100", "100", "200")]
    assert digests[0] == digests[1] != digests[2]


def test_a_dataset_whose_pixels_have_changed_has_another_identity(tmp_path):
    """Numbers of clipped images are not continued with scaled ones; those of other images are."""
    grey = np.asarray(noise(40, 40, "L"))

    def digests(values):
        Image.fromarray(values).save(tmp_path / "x.png")
        content = hashlib.sha256((tmp_path / "x.png").read_bytes()).hexdigest()
        before = hashlib.sha256(json.dumps(["x.png", [0], [], content]).encode() + b"\n").hexdigest()
        return before, build(Files(), tmp_path).digest

    before, now = digests(grey)
    assert before == now
    before, now = digests(grey.astype(np.uint16) * 257)
    assert before != now
