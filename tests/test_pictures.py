"""Any picture a person has, as a world takes it; and what is none, in one line."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from installation import pictures
from latentworld.errors import PresetError

SIZE = (16, 24)


def data(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def halves(width: int = 48, height: int = 32) -> Image.Image:
    """Left red, right blue."""
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    return image


def corner(levels: np.ndarray, right: bool = False) -> list[float]:
    return np.round(levels[:, 8, -3 if right else 2], 2).tolist()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"])
def test_a_picture_is_three_channels_of_one_size(kind: str) -> None:
    found = pictures.decoded(data(halves(), kind), "a", SIZE)
    assert found.levels.shape == (3, *SIZE)
    assert found.levels.dtype == np.float32
    np.testing.assert_allclose(corner(found.levels), [1, 0, 0], atol=0.05)
    np.testing.assert_allclose(corner(found.levels, right=True), [0, 0, 1], atol=0.05)
    assert (found.size, found.crop, found.notes) == ((32, 48), (0, 0, 48, 32), ())


def test_a_turned_picture_is_seen_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    found = pictures.decoded(data(halves(), "JPEG", exif=exif), "a", (24, 16))
    assert found.size == (48, 32)
    np.testing.assert_allclose(found.levels[:, 2, 8], [1, 0, 0], atol=0.06)
    np.testing.assert_allclose(found.levels[:, -3, 8], [0, 0, 1], atol=0.06)


def test_what_is_clear_lies_over_grey() -> None:
    image = halves().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    found = pictures.decoded(data(image), "a", SIZE)
    np.testing.assert_allclose(found.levels, 128 / 255, atol=1e-6)
    assert "one colour" in found.notes[0]
    palette = data(halves().convert("P"), transparency=0)
    assert pictures.decoded(palette, "a", SIZE).levels.shape == (3, *SIZE)


def twelve_bits(levels: np.ndarray) -> bytes:
    """A TIFF of 12 bits a sample: three nibbles high, low, high of each pair (TIFF 6.0, section 3)."""
    one, other = levels.reshape(-1, 2).astype(np.uint16).T
    strip = np.stack([one >> 4, (one & 15) << 4 | other >> 8, other & 255], axis=1).astype(np.uint8).tobytes()
    height, width = levels.shape
    tags = {
        256: width,
        257: height,
        258: 12,
        259: 1,
        262: 1,
        273: 8 + 2 + 9 * 12 + 4,
        277: 1,
        278: height,
        279: len(strip),
    }
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in sorted(tags.items()))
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", 0) + strip


def test_white_is_what_a_file_says_it_is() -> None:
    ramp = np.linspace(0, 4095, 24).round()[None].repeat(16, axis=0)
    wanted = np.linspace(0, 1, 24)
    packed = pictures.decoded(twelve_bits(ramp), "a", SIZE).levels
    np.testing.assert_allclose(packed[0, 8], wanted, atol=0.01)
    held = io.BytesIO()
    Image.fromarray(ramp.astype(np.uint16)).save(held, "TIFF", tiffinfo={281: 4095})
    np.testing.assert_allclose(pictures.decoded(held.getvalue(), "a", SIZE).levels[0, 8], wanted, atol=0.01)
    real = np.where(ramp == ramp.max(), np.nan, ramp + 0.25).astype(np.float32)  # no numbers are black
    held = io.BytesIO()
    Image.fromarray(real).save(held, "TIFF")
    found = pictures.decoded(held.getvalue(), "a", SIZE).levels[0, 8]
    np.testing.assert_allclose(found[:-2], wanted[:-2], atol=0.01)
    assert found[-1] < 0.01


def test_sixteen_bits_cmyk_and_grey() -> None:
    ramp = np.linspace(0, 65535, 24).astype(np.uint16)[None].repeat(16, axis=0)
    deep = pictures.decoded(data(Image.fromarray(ramp)), "a", SIZE).levels
    np.testing.assert_allclose(deep[0, 8], np.linspace(0, 1, 24), atol=0.01)
    assert np.array_equal(deep[0], deep[2])
    printed = pictures.decoded(data(halves().convert("CMYK"), "JPEG"), "a", SIZE).levels
    np.testing.assert_allclose(corner(printed), [1, 0, 0], atol=0.06)
    grey = pictures.decoded(data(Image.linear_gradient("L")), "a", SIZE).levels
    assert np.array_equal(grey[0], grey[1])
    bilevel = pictures.decoded(data(halves().convert("1")), "a", SIZE).levels
    assert bilevel.shape == (3, *SIZE)
    real = Image.fromarray(np.linspace(0, 1, 384, dtype=np.float32).reshape(SIZE))
    np.testing.assert_allclose(pictures.decoded(data(real, "TIFF"), "a", SIZE).levels.max(), 1.0, atol=0.01)


def test_colours_are_those_of_the_files_profile() -> None:
    """A profile of linear light: a middle grey there is brighter in sRGB. A damaged one is passed over."""
    linear = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    plain = pictures.decoded(data(halves()), "a", SIZE).levels
    assert np.array_equal(pictures.decoded(data(halves(), icc_profile=b"nonsense"), "a", SIZE).levels, plain)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_allclose(pictures.decoded(data(halves(), icc_profile=srgb), "a", SIZE).levels, plain, atol=0.01)
    assert pictures.decoded(data(halves(), icc_profile=linear), "a", SIZE).levels.shape == (3, *SIZE)


def test_another_shape_is_cut_or_padded() -> None:
    tall = halves(48, 480)
    cut = pictures.decoded(data(tall), "a", SIZE)
    assert cut.crop == (0, 224, 48, 32)
    padded = pictures.decoded(data(tall), "a", SIZE, "pad").levels
    np.testing.assert_allclose(padded[:, 8, 0], 128 / 255, atol=1e-6)
    assert pictures.decoded(data(Image.new("RGB", (1, 1), (9, 9, 9))), "a", SIZE).levels.shape == (3, *SIZE)


def test_of_an_animated_picture_the_first_is_taken_and_said() -> None:
    frames = [halves(), Image.new("RGB", (48, 32), (0, 255, 0))]
    for kind in ("GIF", "WEBP", "TIFF"):
        found = pictures.decoded(data(frames[0], kind, save_all=True, append_images=frames[1:]), "walk.gif", SIZE)
        assert found.notes == ("walk.gif is animated or has several pictures: the first one is taken",)
        np.testing.assert_allclose(corner(found.levels), [1, 0, 0], atol=0.05)
    assert pictures.decoded(data(halves(), "MPO", save_all=True, append_images=[halves()]), "a", SIZE).notes == ()


def test_too_many_pixels_are_refused_by_the_header() -> None:
    bomb = data(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 60_000
    with pytest.raises(PresetError, match=r"^big.png has (400 million|too many) pixels"):
        pictures.decoded(bomb, "big.png", SIZE)
    with pytest.raises(PresetError, match="million pixels: make it smaller"):
        pictures.decoded(data(halves()), "a", SIZE, most=1000)


@pytest.mark.parametrize(
    "content", [b"", b"words", b"\x89PNG\r\n\x1a\n", data(halves())[:60], b"%PDF-1.4", b"<svg xmlns='x'/>"]
)
def test_what_is_no_picture_is_refused_in_a_line(content: bytes) -> None:
    with pytest.raises(PresetError, match=r"^a\.png (is no picture|cannot be read as a picture)[^\n]*$"):
        pictures.decoded(content, "a.png", SIZE)


def test_a_picture_cut_short_is_refused() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    with pytest.raises(PresetError, match="cannot be read as a picture"):
        pictures.decoded(data(noise)[:4000], "a.png", SIZE)


def test_one_colour_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "flat.png"
    Image.new("RGB", (64, 64), (10, 200, 30)).save(file)
    assert "flat.png is of one colour" in pictures.read(file, SIZE).notes[0]
    for missing in (tmp_path / "none.png", tmp_path):
        with pytest.raises(PresetError, match=r"cannot be read \(.*give a picture's file"):
            pictures.read(missing, SIZE)
