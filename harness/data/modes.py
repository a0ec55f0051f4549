"""Pixel formats of images (Pillow's modes): which become RGB without loss, how the others do, and which are refused.

The modes of ImageNet's own files (RGB, grey, palette, CMYK) are converted as every evaluation script does it, by
Pillow. Grey values of 16 bits are scaled to 8 (v / 257, rounded), because Pillow clips them to 255: a photograph would
become white. Everything else has no conversion that all programs agree on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harness.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

EIGHT_BIT: Final = frozenset({"1", "CMYK", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"})
"""Modes that Pillow converts to RGB value by value; alpha is dropped."""
DEEP_GREY: Final = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
"""Modes of grey values from 0 to 65,535."""
_DEEPEST: Final = 65_535
_WHITEST: Final = 255
_NAMED: Final = {
    "F": "floating-point grey values, whose range is not defined",
    "HSV": "hue, saturation and value",
    "LAB": "CIE L*a*b* colours",
    "La": "grey values premultiplied by alpha",
    "RGBa": "colours premultiplied by alpha",
}
_SAVE: Final = "Save it as 8-bit RGB or grey"
_LEAST_DEEP: Final = 4_096
"""Grey values of 16 bits reach this; those of 8, 10 or 12 bits do not, and would be nearly black."""
_WHITE_IS_ZERO, _PHOTOMETRIC = 0, 262  # TIFF 6.0, section 4
_SIGNED, _SAMPLE_FORMAT, _BITS, _HALF_WORD = 2, 339, 258, 16  # section 19; more bits hold 0 to 65,535 too


def as_rgb(image: Image.Image) -> Image.Image:
    """`image` as RGB, 8 bits a channel. Raises ImageError for a mode without a defined conversion."""
    if reason := refusal(image):
        raise ImageError(reason)
    return (_scaled(image) if image.mode in DEEP_GREY else image).convert("RGB")


def refusal(image: Image.Image) -> str:
    """Why `image` is refused, as ``has the mode …``, by its header alone; empty if its mode is converted."""
    if image.mode not in EIGHT_BIT | DEEP_GREY:
        held = _NAMED.get(image.mode, "no image format that is known here")
        return f"has the mode {image.mode} ({held}), which has no exact RGB. {_SAVE}"
    tags = getattr(image, "tag_v2", {})
    if _SIGNED in _several(tags.get(_SAMPLE_FORMAT)) and max(_several(tags.get(_BITS, 1))) <= _HALF_WORD:
        return f"has signed values, in which white may be any number. {_SAVE}"
    return ""


def _scaled(image: Image.Image) -> Image.Image:
    """Grey values from 0 to 65,535 as 8 bits: v / 257, rounded. Raises ImageError for values of another range."""
    import numpy as np
    from PIL import Image

    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        raise ImageError(f"has 16-bit grey values in which 0 is white, which Pillow does not invert. {_SAVE}")
    values = np.asarray(image).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > _DEEPEST or 0 < high < _LEAST_DEEP:
        raise ImageError(
            f"has the mode {image.mode} with grey values from {low:,} to {high:,}, expected 16 bits: 0 to 65,535 "
            f"(fewer bits would be nearly black). {_SAVE}"
        )
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def is_cut(image: Image.Image) -> bool:
    """Whether the file has 16 bits a channel, of which Pillow decodes the upper 8. Reads the header alone."""
    tiles = getattr(image, "tile", ())
    arguments = [(tile[0], argument) for tile in tiles for argument in _several(tile[3])]
    deep_modes = any(isinstance(argument, str) and ";16" in argument for _, argument in arguments)
    deep_white = any(
        codec == "ppm" and isinstance(argument, int) and argument > _WHITEST for codec, argument in arguments
    )
    return image.mode not in DEEP_GREY and (deep_modes or deep_white)


def _several(value: Any) -> tuple[Any, ...]:
    """One value as a tuple, several as they are: tags of a TIFF, and arguments of a tile's decoder, may be either."""
    return value if isinstance(value, tuple) else (value,)
