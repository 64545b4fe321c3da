"""Bytes of an image file to pixels; safe on files from strangers."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray

MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}
"""First bytes of the formats that are read. A file's name says nothing about its content."""

MAX_PIXELS = 100_000_000
"""Larger images are refused: a small file can unpack to any number of pixels."""

HEADERS = 1 << 20
"""Bytes in which what a JPEG says of itself is looked for; as a rule it is in the first 64."""

_CMYK = ("CMYK", "YCCK")


class NotAnImage(Exception):
    """The bytes are no image of a known format, or a damaged one; the message says which."""


def image_format(data: bytes) -> str | None:
    """Name of the format by the first bytes; None if it is not among those read."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for magic, name in MAGIC.items() if data.startswith(magic)), None)


def decode(data: bytes, size: int | None = None) -> NDArray[np.uint8]:
    """Pixels of one image file, RGB uint8 (H, W, 3), upright.

    Parameters
    ----------
    data: the whole file.
    size: resize to this height and width, in pixels; None keeps the image's own. A large JPEG
        is decoded at a reduced scale that is still no smaller than `size`.

    Raises
    ------
    NotAnImage: not an image of a known format, truncated, damaged or too large.
    """
    kind = image_format(data)
    if kind is None:
        raise NotAnImage("not an image of a known format")
    pixels = _decode_jpeg(data, size) if kind == "JPEG" else None
    if pixels is None:
        pixels = _decode_with_pillow(data, kind)
    if size is not None and pixels.shape[:2] != (size, size):
        from PIL import Image

        resized = Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS)
        pixels = np.asarray(resized)
    return pixels


def decode_into(pixels: NDArray[np.uint8], data: bytes) -> None:
    """`decode` to a given place, uint8 (size, size, 3), contiguous.

    A JPEG that has this size already is not copied.

    Raises
    ------
    NotAnImage: as `decode`; the place may have been written to.
    """
    if not _fills(pixels, data):
        pixels[:] = decode(data, pixels.shape[0])


def _fills(pixels: NDArray[np.uint8], data: bytes) -> bool:
    """Whether this was an upright JPEG of just this size, which has been decoded to its place."""
    import simplejpeg

    if not data.startswith(b"\xff\xd8\xff") or _has_exif(data):
        return False
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if (height, width) != pixels.shape[:2] or colours in _CMYK:
            return False
        simplejpeg.decode_jpeg(data, strict=True, buffer=pixels)
    except ValueError:
        return False
    return True


def _has_exif(data: bytes) -> bool:
    """Whether a JPEG may say that it is to be turned. Comments or a profile may come first."""
    return data.find(b"Exif\x00\x00", 0, HEADERS) >= 0


def _decode_jpeg(data: bytes, size: int | None) -> NDArray[np.uint8] | None:
    """The fast path; None where Pillow has to look (CMYK, rotated by EXIF)."""
    import simplejpeg

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if height * width > MAX_PIXELS:
            raise NotAnImage(f"{width}×{height} pixels are too many")
        if colours in _CMYK or _has_exif(data):
            return None
        # libjpeg may scale by eighths while decoding, which saves most of the work.
        least = {} if size is None else {"min_height": size, "min_width": size}
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, strict=True, **least)
        return pixels
    except ValueError as error:
        raise NotAnImage(f"a damaged JPEG ({error})") from None


def _decode_with_pillow(data: bytes, kind: str) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=[kind]) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise NotAnImage(f"{opened.width}×{opened.height} pixels are too many")
                opened.load()
                upright = ImageOps.exif_transpose(opened)
                if upright.mode.startswith("I"):
                    # 16-bit grey: Pillow's own conversion clips instead of scaling.
                    wide = np.asarray(upright).astype(np.int64)
                    upright = Image.fromarray((np.clip(wide, 0, 65535) >> 8).astype(np.uint8))
                if upright.has_transparency_data:
                    # What is transparent shows white, as on paper.
                    ground = Image.new("RGBA", upright.size, "white")
                    upright = Image.alpha_composite(ground, upright.convert("RGBA"))
                return np.asarray(upright.convert("RGB"))
    except Image.DecompressionBombError:
        raise NotAnImage("more pixels than are safe to unpack") from None
    except NotAnImage:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a malformed file leads them to
        raise NotAnImage(f"a damaged {kind} ({error})") from None
