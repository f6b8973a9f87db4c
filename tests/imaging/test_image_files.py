"""Image files of every kind in, files out, and the crop to a multiple of the scale."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from srcnn.errors import ConfigError, DataError
from srcnn.imaging import image_files
from srcnn.imaging.image_files import (
    SUFFIXES,
    check_together,
    list_images,
    modcrop,
    read_image,
    shown_name,
    write_image,
)

ORIENTATION = 0x0112  # the EXIF tag


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(height * width).integers(0, 256, shape, dtype=np.uint8)


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def encoded(suffix: str) -> bytes:
    """A file of some kilobytes, so that half of it ends amid the pixels."""
    buffer = io.BytesIO()
    Image.fromarray(noise(48, 40)).save(buffer, Image.registered_extensions()[suffix])
    return buffer.getvalue()


def test_rgb_and_grey_are_read_as_they_are(tmp_path: Path) -> None:
    colour, grey = noise(5, 7), noise(5, 7, 1)
    np.testing.assert_array_equal(read_image(saved(tmp_path / "rgb.png", Image.fromarray(colour))), colour)
    found = read_image(saved(tmp_path / "grey.png", Image.fromarray(grey)))
    np.testing.assert_array_equal(found, grey)
    assert found.dtype == np.uint8


def test_transparency_is_dropped(tmp_path: Path) -> None:
    rgba, la = noise(5, 7, 4), noise(5, 7, 2)
    np.testing.assert_array_equal(read_image(saved(tmp_path / "rgba.png", Image.fromarray(rgba))), rgba[:, :, :3])
    np.testing.assert_array_equal(read_image(saved(tmp_path / "la.png", Image.fromarray(la))), la[:, :, 0])


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    palette = [(10, 20, 30), (200, 100, 0), (1, 2, 3)]
    index = np.array([[0, 1, 2], [2, 1, 0]], dtype=np.uint8)
    image = Image.fromarray(index).convert("P")
    image.putpalette([level for colour in palette for level in colour])
    image = Image.frombytes("P", (3, 2), index.tobytes())
    image.putpalette([level for colour in palette for level in colour])
    np.testing.assert_array_equal(read_image(saved(tmp_path / "p.png", image)), np.array(palette)[index])


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    bits = np.array([[True, False, True], [False, False, True]])
    np.testing.assert_array_equal(read_image(saved(tmp_path / "b.png", Image.fromarray(bits))), bits * 255)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path: Path, suffix: str) -> None:
    """65535 / 255 = 257, so 257 v is v, and the middle between two levels lies at 128.5 above."""
    deep = np.array([[0, 257, 65535, 25700, 25700 + 128, 25700 + 129, 128, 129]], dtype=np.uint16)
    path = saved(tmp_path / f"deep{suffix}", Image.fromarray(deep))
    np.testing.assert_array_equal(read_image(path), [[0, 1, 255, 100, 100, 101, 0, 1]])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    """EXIF 2.3, tag 0x0112: which side of the scene the stored first row and first column are."""
    stored = noise(4, 6)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.transpose(1, 0, 2),
        6: stored.transpose(1, 0, 2)[:, ::-1],  # first row is the right side
        7: stored.transpose(1, 0, 2)[::-1, ::-1],
        8: stored.transpose(1, 0, 2)[::-1],  # first row is the left side
    }[orientation]
    np.testing.assert_array_equal(read_image(saved(tmp_path / "o.png", Image.fromarray(stored), exif=exif)), upright)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.png: no such file"):
        read_image(tmp_path / "nothing.png")


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff"])
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.png: ") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=tmp_path.name):
        read_image(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_file_that_breaks_off_is_named(tmp_path: Path, suffix: str, share: float) -> None:
    whole = encoded(suffix)
    path = tmp_path / f"half{suffix}"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=rf"half\{suffix}: "):
        read_image(path)


def test_a_flipped_byte_in_a_png_is_noticed(tmp_path: Path) -> None:
    """PNG has checksums; the reader must not hand out pixels that fail them."""
    damaged = bytearray(encoded(".png"))
    damaged[len(damaged) // 2] ^= 0xFF
    path = tmp_path / "flipped.png"
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"flipped\.png"):
        read_image(path)


def test_floating_point_images_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "f.tif", Image.fromarray(np.zeros((4, 4), dtype=np.float32)))
    with pytest.raises(DataError, match=r"f\.tif: floating-point"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_without_loss_is_read_back(tmp_path: Path, suffix: str, channels: int) -> None:
    image = noise(6, 9, channels)
    path = tmp_path / "new" / "folder" / f"image{suffix}"
    write_image(path, image)
    np.testing.assert_array_equal(read_image(path), image)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    write_image(path, noise(8, 8))
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"photo\.jpg: cannot be written"):
        write_image(path, noise(8, 8, 4))  # JPEG has no transparency
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_suffix_without_a_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"image\.xyz: the suffix must be one of"):
        write_image(tmp_path / "image.xyz", noise(4, 4))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"image\.png: cannot be written"):
        write_image(tmp_path / "file" / "image.png", noise(4, 4))


def test_a_folder_lists_its_images_by_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.txt", ".hidden.png", "d.bmp"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in list_images(tmp_path)] == ["a.JPG", "b.png", "d.bmp"]


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="contains no image") as caught:
        list_images(tmp_path)
    assert all(suffix in str(caught.value) for suffix in SUFFIXES)
    with pytest.raises(DataError, match="nowhere: no such folder"):
        list_images(tmp_path / "nowhere")


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_modcrop_cuts_from_the_bottom_and_right(scale: int, channels: int) -> None:
    image = noise(11, 13, channels)
    cut = modcrop(image, scale)
    assert cut.shape[:2] == (11 // scale * scale, 13 // scale * scale)
    np.testing.assert_array_equal(cut, image[: cut.shape[0], : cut.shape[1]])


def test_an_image_that_cannot_be_written_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"):
        write_image(tmp_path / "file" / "a.png", np.zeros((2, 2), np.uint8))


@pytest.mark.parametrize("scale", [0, -2])
def test_modcrop_refuses_a_scale_below_one(scale: int) -> None:
    with pytest.raises(ConfigError, match=f"scale: must be at least 1, but got {scale}"):
        modcrop(np.zeros((9, 9), np.uint8), scale)


@pytest.mark.parametrize("size", [(8001, 5000), (13_000, 13_000), (40_000_001, 1)])
def test_too_many_pixels_are_refused_by_the_header(size: tuple[int, int], tmp_path: Path) -> None:
    """Also those for which Pillow would only warn, above 89 megapixels."""
    path = saved(tmp_path / "large.png", Image.new("1", size))
    with pytest.raises(
        DataError, match=rf"large\.png: an image must have at most 40 megapixels, .* but got {size[0]}x{size[1]}, "
    ):
        read_image(path)


def test_files_are_summed_up_before_one_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1000 x 1000 in colour take 3 MB, in grey 1 MB."""
    files = [saved(tmp_path / f"{mode}.png", Image.new(mode, (1000, 1000))) for mode in ("RGB", "L")]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    monkeypatch.setattr(image_files, "machine_memory", lambda: 4_000_000)
    check_together([*files, broken], "photos")
    monkeypatch.setattr(image_files, "machine_memory", lambda: 3_999_999)
    with pytest.raises(
        DataError, match=r"^photos: its 3 images of 2 megapixels together would take 4 MiB, this machine has 4 MiB"
    ):
        check_together([*files, broken], "photos")
    monkeypatch.setattr(image_files, "machine_memory", lambda: 7_000_000)
    with pytest.raises(DataError, match=r"would take 4 MiB beside 3 MiB of others, this machine has 7 MiB"):
        check_together(files, "photos", 3_000_001)


def test_any_error_of_a_decoder_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow raises an AttributeError for some damaged EXIF data."""

    def damaged(image: Image.Image) -> Image.Image:
        raise AttributeError("'NoneType' object has no attribute 'x'")

    path = saved(tmp_path / "a.png", Image.new("L", (4, 4)))
    monkeypatch.setattr("srcnn.imaging.image_files.ImageOps.exif_transpose", damaged)
    with pytest.raises(DataError, match=r"a\.png: cannot be decoded \('NoneType' object"):
        read_image(path)


def test_the_name_of_a_file_as_text() -> None:
    assert [shown_name(name) for name in ("woman", "fl\u00e4che", "a\udcff")] == ["woman", "fl\u00e4che", "a\\xff"]
