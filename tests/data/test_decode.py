import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from unskew.data import decode as module
from unskew.data.decode import NotAnImage, decode, decode_into, image_format


def saved(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


GRADIENT = Image.fromarray(
    np.stack(np.broadcast_arrays(*np.ogrid[:40, :60], 90), axis=2).astype(np.uint8)
)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP", "JPEG"])
def test_formats_are_told_by_their_first_bytes(form):
    options = {"lossless": True} if form == "WEBP" else {"quality": 98} if form == "JPEG" else {}
    data = saved(GRADIENT, form, **options)
    assert image_format(data) == form
    pixels = decode(data)
    assert (pixels.shape, pixels.dtype) == ((40, 60, 3), np.uint8)
    assert np.abs(pixels.astype(int) - np.asarray(GRADIENT)).max() <= (12 if form == "JPEG" else 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "in the format HEIC, which is not read: save it as JPEG"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "in the format AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "not an image of a known format"),  # a video
        (b"", "not an image of a known format"),
    ],
)
def test_what_phones_save_is_named(data, words):
    with pytest.raises(NotAnImage, match=words):
        decode(data)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_every_colour_mode_becomes_rgb(mode):
    if mode == "I;16":
        image = Image.fromarray((np.arange(64 * 64, dtype=np.uint16) * 16).reshape(64, 64))
    else:
        image = GRADIENT.convert(mode)
    data = saved(image, "TIFF" if mode in ("CMYK", "I;16") else "PNG")
    pixels = decode(data)
    assert pixels.shape[2] == 3
    if mode == "I;16":
        assert pixels.max() == 65520 >> 8
        assert pixels[32, 0, 0] == 32 * 64 * 16 >> 8


def test_what_is_transparent_shows_white():
    image = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert (decode(saved(image, "PNG")) == 255).all()


def test_exif_turns_the_image_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(GRADIENT, "JPEG", exif=exif, quality=95)
    assert decode(data).shape == (60, 40, 3)
    comment = b"\xff\xfe" + (3000).to_bytes(2, "big") + bytes(2998)
    assert decode(data[:2] + comment + data[2:]).shape == (60, 40, 3), "after a comment as well"


def oriented(image, orientation, form="JPEG", **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image, form, exif=exif, **options)


PATTERN = Image.fromarray(np.asarray(GRADIENT) * np.uint8([6, 4, 1]))


@pytest.mark.parametrize("size", [None, 24])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_changes_how_an_image_lies_and_nothing_else(orientation, size):
    """Classes whose photos come from other cameras must not be told by how they were decoded."""
    large = PATTERN.resize((480, 320))
    data = oriented(large, orientation, quality=95)
    plain = decode(saved(large, "JPEG", quality=95), None)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert decode(data).shape[:2] == upright.size[::-1]
    if size is None:
        turned = Image.fromarray(plain)
        turned.getexif()[0x0112] = orientation
        assert np.array_equal(decode(data), np.asarray(ImageOps.exif_transpose(turned)))
    elif orientation == 1:
        assert np.array_equal(decode(data, size), decode(saved(large, "JPEG", quality=95), size))
    else:
        wanted = np.asarray(upright.resize((size, size), Image.Resampling.LANCZOS)).astype(int)
        assert np.abs(decode(data, size) - wanted).mean() < 4


@pytest.mark.parametrize("orientation", [1, 6])
def test_damage_is_damage_with_exif_too(orientation):
    data = bytearray(oriented(GRADIENT.resize((200, 200)), orientation, quality=95))
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff\xd9" * 20
    with pytest.raises(NotAnImage, match="damaged JPEG"):
        decode(bytes(data))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_exif_that_cannot_be_read_turns_nothing():
    data = oriented(GRADIENT, 6)
    at = data.index(b"Exif\0\0") + 6
    for broken in (b"\xff" * 8, b"MM\0\x2a\xff\xff\xff\xff"):
        assert decode(data[:at] + broken + data[at + 8 :]).shape == (40, 60, 3)
    assert decode(oriented(GRADIENT, 9)).shape == (40, 60, 3)


WIDE = np.linspace(0, 1, 64 * 64).reshape(64, 64)


@pytest.mark.parametrize("kind", [np.uint16, np.int32])
@pytest.mark.parametrize(("most", "shift"), [(255, 0), (4095, 4), (65535, 8)])
def test_grey_of_more_bits_keeps_its_shades(kind, most, shift):
    wide = np.round(WIDE * most).astype(kind)
    found = decode(saved(Image.fromarray(wide), "TIFF"))
    assert np.array_equal(found[..., 0], wide >> shift)
    assert len(np.unique(found)) == 256


def test_numbers_that_are_no_grey_are_no_image():
    for wide, words in (
        (WIDE.astype(np.float32), "floating-point"),
        ((WIDE * 70000).astype(np.int32), "from 0 to 70000"),
        ((WIDE * 2000 - 1000).astype(np.int32), "from -1000 to 1000"),
    ):
        with pytest.raises(NotAnImage, match=words):
            decode(saved(Image.fromarray(wide), "TIFF"))


def test_cmyk_jpeg():
    assert decode(saved(GRADIENT.convert("CMYK"), "JPEG")).shape == (40, 60, 3)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_resizing(form):
    assert decode(saved(GRADIENT, form), 16).shape == (16, 16, 3)
    # A flat colour stays what it is, at whatever scale it was decoded.
    flat = decode(saved(Image.new("RGB", (300, 500), (200, 100, 50)), form), 24)
    assert np.abs(flat.astype(int) - [200, 100, 50]).max() <= 3


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\xff\xd8\xff\xe0 no jpeg", b"\x89PNG\r\n\x1a\n no png", b"GIF89a"]
)
def test_what_is_no_image_is_said_to_be_none(data):
    with pytest.raises(NotAnImage):
        decode(data)


def test_a_truncated_jpeg_is_damaged_not_half_grey():
    data = saved(GRADIENT, "JPEG")
    with pytest.raises(NotAnImage, match="damaged JPEG"):
        decode(data[: len(data) // 2])


def test_whatever_a_decoder_raises_is_the_files_fault(monkeypatch):
    data = saved(GRADIENT, "PNG")

    def broken(*_):
        raise TypeError("a tag of the wrong kind")

    monkeypatch.setattr(Image.Image, "convert", broken)
    with pytest.raises(NotAnImage, match=r"a damaged PNG \(a tag of the wrong kind\)"):
        decode(data)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_too_many_pixels_are_refused_before_they_are_unpacked(form, monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 1000)
    with pytest.raises(NotAnImage, match="60×40 pixels are too many"):
        decode(saved(GRADIENT, form))


SQUARE = GRADIENT.resize((40, 40))
TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.mark.parametrize(
    ("data", "direct"),
    [
        (saved(SQUARE, "JPEG"), True),
        (saved(SQUARE.convert("L"), "JPEG"), True),
        (saved(SQUARE, "JPEG", progressive=True), True),
        (saved(SQUARE, "JPEG", exif=TURNED), False),
        (saved(SQUARE.convert("CMYK"), "JPEG"), False),
        (saved(SQUARE, "PNG"), False),
        (saved(GRADIENT, "JPEG"), False),
        (saved(GRADIENT.resize((30, 20)), "JPEG"), False),
        (saved(GRADIENT.resize((300, 200)), "JPEG"), False),
        (saved(GRADIENT.resize((20, 80)), "JPEG"), False),
    ],
    ids=["rgb", "grey", "progressive", "turned", "cmyk", "png", "wide", "small", "large", "tall"],
)
def test_decoding_to_a_place_is_decoding(data, direct):
    around = np.full((3, 40, 40, 3), 7, np.uint8)
    assert module._fills(around[1].copy(), data) == direct
    decode_into(around[1], data)
    assert np.array_equal(around[1], decode(data, 40))
    assert (around[[0, 2]] == 7).all()


@pytest.mark.parametrize("kept", [30, 400, -2])
def test_decoding_what_is_cut_off_to_a_place(kept):
    with pytest.raises(NotAnImage, match="damaged JPEG"):
        decode_into(np.empty((40, 40, 3), np.uint8), saved(SQUARE, "JPEG")[:kept])


def test_a_header_that_promises_too_much_takes_no_memory(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 40 * 60 - 1)
    with pytest.raises(NotAnImage, match="too many"):
        decode_into(np.empty((40, 40, 3), np.uint8), saved(GRADIENT, "JPEG"))


def test_exif_that_cannot_be_read_is_as_good_as_none():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), (200, 10, 20)).save(buffer, "PNG", exif=b"Exif\0\0garbage!")
    assert decode(buffer.getvalue()).shape == (3, 4, 3)


def test_the_transparent_number_of_a_grey_png_of_many_bits_shows_white():
    wide = np.round(WIDE * 65535).astype(np.uint16)
    found = decode(saved(Image.fromarray(wide), "PNG", transparency=int(wide[5, 7])))
    assert found[5, 7].tolist() == [255, 255, 255]
    others = np.ones(wide.shape, dtype=bool)
    others[wide == wide[5, 7]] = False
    assert np.array_equal(found[others][:, 0], (wide >> 8)[others])


def test_bytes_that_some_cameras_leave_before_the_end_are_no_damage():
    data = saved(GRADIENT, "JPEG")
    assert data.endswith(b"\xff\xd9")
    found = decode(data[:-2] + b"\x12\x34" + data[-2:])
    assert np.array_equal(found, decode(data))
    assert np.array_equal(decode(data[:-2] + b"\x12\x34" + data[-2:], 20), decode(data, 20))


def test_what_is_said_of_damage_is_the_same_every_time():
    """Pillow names an address in memory, and a report must not differ from one run to the next."""
    with pytest.raises(NotAnImage, match=r"^a damaged GIF \(its header cannot be read\)$"):
        decode(b"GIF89a")
