"""Pictures: every mode and orientation to the same upright RGB, every broken one to a FrameError."""

import hashlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from yochi_runtime.errors import FrameError, Reason, UsageError
from yochi_runtime.image import MAX_PIXELS, MIN_SIDE, SIDE, Frame, decode_frame, prepare, read_frame

Array = NDArray[Any]
WIDTH, HEIGHT = 48, 40
ORIENTATION = 0x0112  # EXIF tag


def encoded(image: Image.Image, fmt: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def decoded(image: Image.Image, fmt: str, **options: Any) -> Array:
    return decode_frame(encoded(image, fmt, **options)).rgb


def noise(height: int = HEIGHT, width: int = WIDTH) -> Array:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    """A PNG by hand: colour 0 is gray, 2 is RGB, each row begins with filter byte 0."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


# What EXIF 2.32 says a viewer has to do with the stored rows and columns.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", list(UPRIGHT))
@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_every_exif_orientation(fmt: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = np.repeat(np.repeat(noise(4, 5), 16, axis=0), 16, axis=1)  # blocks, so that JPEG keeps them
    options: dict[str, dict[str, Any]] = {
        "PNG": {},
        "JPEG": {"quality": 98, "subsampling": 0},
        "WEBP": {"lossless": True},
        "TIFF": {},
    }
    got = decoded(Image.fromarray(stored), fmt, exif=exif, **options[fmt])
    expected = UPRIGHT[orientation](stored)
    assert got.shape == expected.shape
    assert np.abs(got.astype(int) - expected).max() <= (8 if fmt == "JPEG" else 0)


@pytest.mark.parametrize("fmt", ["PNG", "BMP", "TIFF", "PPM"])
def test_rgb_comes_as_it_is(fmt: str) -> None:
    got = decoded(Image.fromarray(noise()), fmt)
    assert got.dtype == np.uint8
    assert np.array_equal(got, noise())


@pytest.mark.parametrize(
    ("mode", "colour", "rgb"),
    [
        ("RGBA", (200, 100, 0, 255), (200, 100, 0)),
        ("RGBA", (200, 100, 0, 0), (255, 255, 255)),  # transparent is white
        ("RGBA", (255, 0, 0, 51), (255, 204, 204)),  # one fifth red, four fifths white
        ("LA", (0, 255), (0, 0, 0)),
        ("LA", (0, 0), (255, 255, 255)),
        ("LA", (100, 51), (224, 224, 224)),  # 0.2 * 100 + 0.8 * 255
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("1", 0, (0, 0, 0)),
    ],
)
def test_colours_of_other_modes(mode: str, colour: Any, rgb: tuple[int, int, int]) -> None:
    got = decoded(Image.new(mode, (WIDTH, HEIGHT), colour), "PNG")
    assert got.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(got, np.broadcast_to(np.array(rgb, np.uint8), got.shape))


def test_a_palette_with_a_transparent_colour() -> None:
    image = Image.new("P", (WIDTH, HEIGHT), 0)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.paste(1, (0, 0, WIDTH // 2, HEIGHT))
    opaque, seen_through = decoded(image, "PNG"), decoded(image, "PNG", transparency=0)
    assert (tuple(opaque[0, 0]), tuple(opaque[0, -1])) == ((200, 0, 0), (10, 20, 30))
    assert (tuple(seen_through[0, 0]), tuple(seen_through[0, -1])) == ((200, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("fmt", ["JPEG", "TIFF"])
def test_cmyk(fmt: str) -> None:
    got = decoded(Image.new("CMYK", (WIDTH, HEIGHT), (255, 0, 0, 0)), fmt)
    assert np.abs(got.astype(int) - (0, 255, 255)).max() <= 3  # cyan


DEEP = np.array([0x0000, 0x00FF, 0x0100, 0x7FFF, 0xFF00, 0xFFFF], dtype=np.uint16)
HIGH_BYTES = [0, 0, 1, 127, 255, 255]


@pytest.mark.parametrize("fmt", ["PNG", "TIFF"])
def test_16_bit_gray_by_its_high_byte(fmt: str) -> None:
    got = decoded(Image.fromarray(np.repeat(np.repeat(DEEP[None], 40, 0), 8, 1)), fmt)
    assert [tuple(p) for p in got[0, ::8]] == [(v, v, v) for v in HIGH_BYTES]


def test_a_big_endian_16_bit_tiff() -> None:
    gray = np.repeat(np.repeat(DEEP[None], 40, 0), 8, 1)
    image = Image.frombytes("I;16B", (48, 40), gray.astype(">u2").tobytes())
    assert [p[0] for p in decoded(image, "TIFF")[0, ::8]] == HIGH_BYTES


def test_a_dark_16_bit_picture_stays_dark() -> None:
    """Its low bytes alone are not a picture: 255 of 65535 is black."""
    assert decoded(Image.fromarray(np.full((40, 40), 255, np.uint16)), "PNG").max() == 0


def test_16_bit_rgb_by_its_high_byte() -> None:
    row = b"\0" + struct.pack(">HHH", 0x12FF, 0x8000, 0xFFFF) * WIDTH
    got = decode_frame(png(WIDTH, HEIGHT, 16, 2, row * HEIGHT)).rgb
    assert tuple(got[0, 0]) == (0x12, 0x80, 0xFF)
    assert (got == got[0, 0]).all()


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_32_bit_modes_carry_8_or_16_bits(dtype: type) -> None:
    for top, expected in ((200, 200), (0x8000, 0x80)):
        gray: Array = np.zeros((40, 40), dtype)
        gray[:, 20:] = top
        assert decoded(Image.fromarray(gray), "TIFF")[0, [0, -1], 0].tolist() == [0, expected]


def test_floats_that_are_no_numbers_are_pixels_still() -> None:
    gray = np.full((40, 40), np.nan, np.float32)
    gray[0, :3] = np.inf, -np.inf, -5
    got = decoded(Image.fromarray(gray), "TIFF")
    assert got.dtype == np.uint8
    assert got[0, :4, 0].tolist() == [255, 0, 0, 0]


def test_the_first_page_of_several() -> None:
    pages = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "blue")]
    for fmt in ("TIFF", "GIF"):
        got = decoded(pages[0], fmt, save_all=True, append_images=pages[1:])
        assert tuple(got[0, 0]) == (255, 0, 0)


JPEG = encoded(Image.fromarray(noise(200, 300)), "JPEG")


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"", Reason.FRAME_UNREADABLE, "0 bytes"),
        (b"press 3 leaks oil\n" * 20, Reason.FRAME_UNREADABLE, "something else"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", Reason.FRAME_UNREADABLE, "something else"),
        (JPEG[: len(JPEG) // 2], Reason.FRAME_TRUNCATED, "broken"),
        (JPEG[:-2000], Reason.FRAME_TRUNCATED, "broken"),
        (png(1, 1, 8, 0, b"\0\0"), Reason.FRAME_TOO_SMALL, "1 x 1"),
        (png(31, 4000, 8, 0, (b"\0" * 32) * 4000), Reason.FRAME_TOO_SMALL, "31 x 4000"),
        (png(10_000, 6_000, 8, 2, b""), Reason.FRAME_TOO_LARGE, "10000 x 6000 (60)"),  # no pixels needed
        (png(65_535, 65_535, 8, 2, b""), Reason.FRAME_TOO_LARGE, "50 megapixels"),
    ],
    ids=["zero", "text", "eps", "half", "tail", "1x1", "narrow", "60 MP", "4 GP"],
)
def test_what_cannot_be_judged(data: bytes, reason: Reason, words: str, tmp_path: Path) -> None:
    path = tmp_path / "frame.jpg"
    path.write_bytes(data)
    with pytest.raises(FrameError) as raised:
        read_frame(path)
    assert raised.value.reason is reason
    message = str(raised.value)
    assert words in message
    assert message.startswith("expected ")
    assert "; " in message  # what to do
    assert "\n" not in message


def test_the_limits_themselves_are_accepted() -> None:
    side = MIN_SIDE
    assert decode_frame(png(side, side, 8, 0, (b"\0" * (side + 1)) * side)).rgb.shape == (side, side, 3)
    rgb = np.broadcast_to(np.uint8(0), (5_000, 10_000, 3))
    assert rgb.shape[0] * rgb.shape[1] == MAX_PIXELS
    assert Frame(rgb).rgb is rgb
    with pytest.raises(FrameError, match="at most 50 megapixels"):
        Frame(np.broadcast_to(np.uint8(0), (5_001, 10_000, 3)))


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found nothing there"):
        read_frame(tmp_path / "none.jpg")
    with pytest.raises(UsageError, match="takes folders"):
        read_frame(tmp_path)
    with pytest.raises(UsageError, match="something else"):
        read_frame(Path("/dev/null"))
    with pytest.raises(FrameError, match="File name too long") as raised:
        read_frame(tmp_path / ("f" * 300))
    assert raised.value.reason is Reason.FRAME_UNREADABLE


def test_a_file_over_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    with path.open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    with pytest.raises(FrameError, match="at most 64 MiB") as raised:
        read_frame(path)
    assert raised.value.reason is Reason.FRAME_TOO_LARGE


def frame_or_error(data: bytes) -> None:
    error: FrameError | None = None
    try:
        rgb = decode_frame(data).rgb
    except FrameError as e:
        error = e
    if error:
        assert error.reason.value.startswith("frame_")
        assert str(error).startswith("expected ")
        return
    assert rgb.dtype == np.uint8
    assert rgb.ndim == 3
    assert rgb.shape[2] == 3


@given(st.binary(max_size=300))
def test_random_bytes_are_a_frame_error(data: bytes) -> None:
    frame_or_error(data)


_SMALL = Image.fromarray(noise())
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "JPEG2000")
WHOLE = {fmt: encoded(_SMALL, fmt) for fmt in FORMATS}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_damaged_pictures_are_frames_or_frame_errors(fmt: str, data: st.DataObject) -> None:
    """Real files with some bytes changed, most of them in the header, and the end cut off."""
    whole = bytearray(WHOLE[fmt])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 120) | st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    frame_or_error(bytes(whole[: data.draw(st.integers(1, len(whole)))]))


def test_the_same_picture_in_two_files_is_the_same_frame() -> None:
    first, second = (decode_frame(encoded(_SMALL, fmt)) for fmt in ("PNG", "BMP"))
    header = f"{WIDTH}x{HEIGHT}:".encode()
    assert first.sha256 == second.sha256 == hashlib.sha256(header + noise().tobytes()).hexdigest()
    assert Frame(noise(WIDTH, HEIGHT).copy()).sha256 != first.sha256


def test_preparation_normalizes_by_lite0s_mean_and_deviation() -> None:
    """(v - 127) / 128: red 255 is 1, green 127 is 0, blue 0 is -127/128."""
    pixels = prepare(Frame(np.broadcast_to(np.array([255, 127, 0], np.uint8), (60, 90, 3))))
    assert pixels.shape == (1, 3, SIDE, SIDE)
    assert pixels.dtype == np.float32
    assert pixels.flags["C_CONTIGUOUS"]
    assert [np.unique(pixels[0, c]).tolist() for c in range(3)] == [[1.0], [0.0], [-127 / 128]]


def test_preparation_of_a_square_of_the_models_size_changes_nothing() -> None:
    rgb = noise(SIDE, SIDE)
    assert np.array_equal(prepare(Frame(rgb))[0].transpose(1, 2, 0), (rgb.astype(np.float32) - 127) / 128)


def test_preparation_squeezes_the_aspect_ratio() -> None:
    """A wide and a high picture fill the same square: a quarter stays a quarter."""
    wide = np.zeros((300, 1200, 3), np.uint8)
    wide[:, :300] = 255
    high = wide.transpose(1, 0, 2)
    for picture, axis in ((wide, 2), (high, 1)):
        white = prepare(Frame(np.ascontiguousarray(picture)))[0].mean(axis=(0, axis % 2 + 1)) > 0
        assert white.tolist() == [True] * (SIDE // 4) + [False] * (SIDE - SIDE // 4)


def test_preparation_is_antialiased() -> None:
    """Half the size: a triangle over four pixels, 1/8 3/8 3/8 1/8; column 100 reaches 49 and 50."""
    rgb = np.zeros((SIDE * 2, SIDE * 2, 3), np.uint8)
    rgb[:, 100] = 240
    row = prepare(Frame(rgb))[0, 0, 0] * 128 + 127
    assert row[48:52].tolist() == [0, 30, 90, 0]


def test_preparation_gives_the_same_bytes_as_ever() -> None:
    """Of a 300 x 200 noise picture; a change here is a new PREPARATION and a new bundle."""
    golden = "a43942695ac49fcdbf6dd079ef88618c490a6489ec034354a5724a77fd94188c"
    pixels = prepare(Frame(noise(200, 300)))
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == golden
