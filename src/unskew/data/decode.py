"""Bytes of an image file to pixels; safe on files from strangers."""

from __future__ import annotations

import io
import struct

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

UNREAD = {
    "HEIC": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    "AVIF": (b"avif", b"avis"),
}
"""What follows `ftyp` in photos that are not read (ISO/IEC 23008-12, AV1 Image File Format)."""

MAX_PIXELS = 100_000_000
"""Larger images are refused: a small file can unpack to any number of pixels."""

HEADERS = 1 << 20
"""Bytes in which what a JPEG says of itself is looked for; as a rule it is in the first 64."""

END_OF_JPEG = b"\xff\xd9"

_CMYK = ("CMYK", "YCCK")

DEPTHS = (8, 12, 16)
"""Bits that a grey file of more than eight may use; most of twelve are kept in files of 16."""

ORIENTATION = 0x0112
"""EXIF's tag of how a camera was held."""


class NotAnImage(Exception):
    """The bytes are no image of a known format, or a damaged one; the message says which."""


def image_format(data: bytes) -> str | None:
    """Name of the format by the first bytes; None if it is not among those read."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((name for magic, name in MAGIC.items() if data.startswith(magic)), None)


def _unread(data: bytes) -> str:
    """Why bytes of none of the formats are not read; what phones and browsers save is named."""
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    name = next((name for name, brands in UNREAD.items() if brand in brands), None)
    if name is None:
        return "not an image of a known format"
    return f"in the format {name}, which is not read: save it as JPEG or PNG"


def header_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) as a file's header says, before it is turned upright; None if it says none.

    Whether what follows can be decoded is not looked at.
    """
    import simplejpeg
    from PIL import Image

    kind = image_format(data)
    if kind is None:
        return None
    if kind == "PNG" and data[12:16] == b"IHDR" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return height, width
    try:
        if kind == "JPEG":
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        else:
            with Image.open(io.BytesIO(data), formats=[kind]) as opened:
                width, height = opened.size
    except Exception:  # Pillow raises whatever a malformed file leads it to
        return None
    return height, width


def decode(data: bytes, size: int | None = None) -> NDArray[np.uint8]:
    """Pixels of one image file, RGB uint8 (H, W, 3), upright.

    Pillow warns of oddities that harm nothing. They are not kept quiet here: what is warned of is
    the whole process's, and this is called by several threads.

    Parameters
    ----------
    data: the whole file.
    size: resize to this height and width, in pixels; None keeps the image's own. A large JPEG
        is decoded at a reduced scale that is still no smaller than `size`.

    Raises
    ------
    NotAnImage: not an image of a known format, truncated, damaged, too large, or of numbers that
        are no shades of grey.
    """
    kind = image_format(data)
    if kind is None:
        raise NotAnImage(_unread(data))
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

    if not data.startswith(b"\xff\xd8\xff"):
        return False
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if (height, width) != pixels.shape[:2] or colours in _CMYK or _orientation(data) != 1:
            return False
        simplejpeg.decode_jpeg(data, strict=True, buffer=pixels)
    except ValueError:
        return False
    return True


def _orientation(data: bytes) -> int:
    """How a JPEG is to be turned, 1..8 as EXIF counts; 1, upright, where it does not say so.

    Where it says so cannot be read, the image is as good as one that says nothing.
    """
    if data.find(b"Exif\x00\x00", 0, HEADERS) < 0:  # comments or a profile may come first
        return 1
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as opened:
            found = opened.getexif().get(ORIENTATION, 1)
    except Exception:  # Pillow raises whatever malformed tags lead it to
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) upright, by EXIF's number of how they lie."""
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    down = -1 if orientation in (3, 4, 7, 8) else 1
    right = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(pixels[::down, ::right])


def _decode_jpeg(data: bytes, size: int | None) -> NDArray[np.uint8] | None:
    """The fast path; None where Pillow has to look (CMYK)."""
    import simplejpeg

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if height * width > MAX_PIXELS:
            raise NotAnImage(f"{width}×{height} pixels are too many")
        if colours in _CMYK:
            return None
        # libjpeg may scale by eighths while decoding, which saves most of the work.
        least = {} if size is None else {"min_height": size, "min_width": size}
        try:
            pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, strict=True, **least)
        except ValueError as error:
            if not _harmless(str(error), data):
                raise
            pixels = simplejpeg.decode_jpeg(data, strict=False, **least)
    except ValueError as error:
        raise NotAnImage(f"a damaged JPEG ({error})") from None
    # Turned once it is small; the size that is asked for is as high as it is wide.
    return _turned(pixels, _orientation(data))


def _harmless(warning: str, data: bytes) -> bool:
    """Whether libjpeg warns of what some cameras do to every file, of one that is whole."""
    known = "extraneous bytes before marker 0xd9" in warning or "Invalid SOS parameters" in warning
    return known and data.rstrip(b"\0").endswith(END_OF_JPEG)


def _decode_with_pillow(data: bytes, kind: str) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise NotAnImage(f"{opened.width}×{opened.height} pixels are too many")
            if opened.mode == "F":
                raise NotAnImage("of floating-point numbers, which no white belongs to")
            opened.load()
            try:
                upright = ImageOps.exif_transpose(opened)
            except Exception:  # EXIF that cannot be read is as good as one that says nothing
                upright = opened
            if upright.mode.startswith("I"):
                wide, clear = np.asarray(upright), upright.info.get("transparency")
                upright = Image.fromarray(_grey(wide))
                if isinstance(clear, int):  # the one number that a PNG may call transparent
                    upright.putalpha(Image.fromarray((wide != clear).astype(np.uint8) * 255))
            if upright.has_transparency_data:
                # What is transparent shows white, as on paper.
                ground = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(ground, upright.convert("RGBA"))
            return np.asarray(upright.convert("RGB"))
    except Image.DecompressionBombError:
        raise NotAnImage("more pixels than are safe to unpack") from None
    except NotAnImage:
        raise
    except UnidentifiedImageError:  # whose message names an address in memory
        raise NotAnImage(f"a damaged {kind} (its header cannot be read)") from None
    except Exception as error:  # Pillow's decoders raise whatever a malformed file leads them to
        raise NotAnImage(f"a damaged {kind} ({error})") from None


def _grey(wide: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Whole numbers of 16 or 32 bits (H, W) as grey of eight.

    What number is white no file says, and of few is it the largest that would fit. It is taken for
    that of the smallest depth which the file's own values fit into: a scale of a file's own would
    make each image's brightness another. Pillow's conversion would clip all above 255 to white.

    Raises
    ------
    NotAnImage: some are negative, or more than 16 bits hold.
    """
    least, most = int(wide.min()), int(wide.max())
    depth = next((bits for bits in DEPTHS if most < 1 << bits), None)
    if depth is None or least < 0:
        raise NotAnImage(f"of numbers from {least} to {most}, which are no grey of 16 bits")
    return (wide >> (depth - 8)).astype(np.uint8)
