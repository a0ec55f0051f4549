"""Pixel formats of images (Pillow's modes): which become RGB without loss, how the others do, and which are refused.

The modes of ImageNet's own files (RGB, grey, palette, CMYK) are converted as every evaluation script does it, by
Pillow. Grey values of 16 bits are scaled to 8 (v / 257, rounded), because Pillow clips them to 255: a photograph would
become white. Everything else has no conversion that all programs agree on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

EIGHT_BIT: Final = frozenset({"1", "CMYK", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr"})
"""Modes that Pillow converts to RGB value by value; alpha is dropped."""
DEEP_GREY: Final = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
"""Modes of grey values from 0 to 65,535."""
_DEEPEST: Final = 65_535
_NAMED: Final = {
    "F": "floating-point grey values, whose range is not defined",
    "HSV": "hue, saturation and value",
    "LAB": "CIE L*a*b* colours",
    "La": "grey values premultiplied by alpha",
    "RGBa": "colours premultiplied by alpha",
}
_SAVE: Final = "Save it as 8-bit RGB or grey"
_WHITE_IS_ZERO, _PHOTOMETRIC = 0, 262  # TIFF 6.0, section 4


def as_rgb(image: Image.Image) -> Image.Image:
    """`image` as RGB, 8 bits a channel. Raises ImageError for a mode without a defined conversion."""
    if image.mode in EIGHT_BIT:
        return image.convert("RGB")
    if image.mode in DEEP_GREY:
        return _scaled(image).convert("RGB")
    raise ImageError(refusal(image.mode))


def refusal(mode: str) -> str:
    """Why an image of `mode` is refused, as ``has the mode …``; empty if it is converted."""
    if mode in EIGHT_BIT or mode in DEEP_GREY:
        return ""
    held = _NAMED.get(mode, "no image format that is known here")
    return f"has the mode {mode} ({held}), which has no exact RGB. {_SAVE}"


def _scaled(image: Image.Image) -> Image.Image:
    """Grey values from 0 to 65,535 as 8 bits: v / 257, rounded. Raises ImageError for values of another range."""
    import numpy as np
    from PIL import Image

    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        raise ImageError(f"has 16-bit grey values in which 0 is white, which Pillow does not invert. {_SAVE}")
    values = np.asarray(image).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > _DEEPEST or 0 < high <= 255:
        raise ImageError(
            f"has the mode {image.mode} with grey values from {low:,} to {high:,}, expected 16 bits: 0 to 65,535. "
            f"{_SAVE}"
        )
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def is_cut(image: Image.Image) -> bool:
    """Whether the file has 16 bits a channel, of which Pillow decodes the upper 8. Reads the header alone."""
    raw_modes = (part for tile in getattr(image, "tile", ()) for part in _texts(tile[3]))
    return image.mode not in DEEP_GREY and any(";16" in raw_mode for raw_mode in raw_modes)


def _texts(arguments: object) -> tuple[str, ...]:
    """The texts among a tile's arguments for its decoder: the raw mode is one of them."""
    values = arguments if isinstance(arguments, tuple) else (arguments,)
    return tuple(value for value in values if isinstance(value, str))
