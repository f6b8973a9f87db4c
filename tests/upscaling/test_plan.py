"""What becomes of each file, decided from headers alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from srcnn.errors import ConfigError, DataError
from srcnn.imaging.image_files import write_image
from srcnn.upscaling.folders import find_photos, remember
from srcnn.upscaling.photo_writing import Encoding
from srcnn.upscaling.plan import Plan, Target, Wishes, make_plan, parse_scale, parse_size

from pictures import photo


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    write_image(folder / "a.png", photo())
    write_image(folder / "sub" / "b.jpg", photo())
    (folder / "bad.jpg").write_text("no picture")
    (folder / "notes").write_text("no picture")
    return folder


def planned(photos: Path, wishes: Wishes, *names: str) -> Plan:
    return make_plan(find_photos([photos / name for name in names or ["."]], wishes.out), wishes)


def test_numbers_and_sizes() -> None:
    assert [parse_scale(text) for text in ("3", "x2.5", "4X", "0.5")] == [3, 2.5, 4, 0.5]
    for text in ("0", "-1", "nan", "inf", "three", "101", ""):
        with pytest.raises(
            ConfigError, match=r"^--scale: must be a number from 0\.01 to 100, such as 3 or 2\.5, but got "
        ):
            parse_scale(text)
    assert parse_size("4000x3000") == (4000, 3000)
    for text in ("4000", "0x3", "3x", "-3x3", "3x3x3", "12345678x1", "³x3"):
        with pytest.raises(ConfigError, match=r"^--size: must be WIDTHxHEIGHT in pixels, such as 4000x3000, but got "):
            parse_size(text)


def test_a_box_keeps_the_shape() -> None:
    box = Target(box=(400, 300))
    assert [box.size(*size) for size in ((40, 30), (30, 40), (1000, 1), (400, 300))] == [
        (400, 300),
        (225, 300),
        (400, 1),
        (400, 300),
    ]
    assert str(box) == "400x300"
    assert Target(2.5).size(3, 5) == (8, 13)
    assert str(Target(2.5)) == "x2.5"
    assert Target(0.01).size(3, 5) == (1, 1)


def test_a_folder(photos: Path, tmp_path: Path) -> None:
    plan = planned(photos, Wishes(Target(3), out=tmp_path / "out", compare=True))
    assert [(job.output.relative_to(tmp_path).as_posix(), job.format, job.pixels) for job in plan.jobs] == [
        ("out/a.png", "png", 9 * 31 * 26),
        ("out/sub/b.jpg", "jpeg", 9 * 31 * 26),
    ]
    assert plan.jobs[1].compare == tmp_path / "out/sub/b_compare.png"
    assert len(plan.failures) == 1
    assert "bad.jpg: is not an image" in plan.failures[0][1]
    assert plan.skipped == {"not a photo": 1}
    assert not (tmp_path / "out").exists()


def test_files_have_their_results_beside_them(photos: Path) -> None:
    plan = planned(photos, Wishes(Target(2.5), Encoding("webp")), "a.png", "sub/b.jpg")
    assert [job.output for job in plan.jobs] == [photos / "a_x2.5.webp", photos / "sub" / "b_x2.5.webp"]


@pytest.mark.parametrize(
    ("name", "wishes", "message"),
    [
        ("bad.jpg", Wishes(Target()), "is not an image"),
        ("notes", Wishes(Target()), "is not an image"),
        ("sub/b.jpg", Wishes(Target(), max_pixels=800), "claims 26x31 = 806 pixels"),
        (
            "sub/b.jpg",
            Wishes(Target(), max_pixels=7253),
            r"the result of 78x93 = 7,254 pixels is more than --max-pixels 7,253",
        ),
        ("sub/b.jpg", Wishes(Target(box=(70_000, 70_000)), max_pixels=1 << 40), "JPEG stores at most 65,535"),
    ],
)
def test_a_mistake_with_a_named_file_ends_everything(photos: Path, name: str, wishes: Wishes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        planned(photos, wishes, name)


def test_existing_results(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wishes = Wishes(Target(), out=out, settings="one")
    write_image(out / "a.png", photo())
    plan = planned(photos, wishes)
    assert [job.source.name for job in plan.jobs] == ["b.jpg"]
    assert any(message == f"{out / 'a.png'}: exists; --force writes over it" for _, message in plan.failures)
    with pytest.raises(ConfigError, match=r"out/a\.png: exists; --force writes over it"):
        planned(photos, wishes, "a.png")
    assert len(planned(photos, replace(wishes, force=True)).jobs) == 2
    remember(photos / "a.png", out / "a.png", out, "one")
    plan = planned(photos, wishes)
    assert (plan.finished, len(plan.jobs), len(plan.failures)) == (1, 1, 1)
    remember(photos / "a.png", out / "a.png", out, "two")  # made with another network
    assert planned(photos, wishes).finished == 0


def test_a_comparison_that_is_missing_is_made(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wishes = Wishes(Target(), out=out, settings="one", compare=True)
    write_image(out / "a.png", photo())
    remember(photos / "a.png", out / "a.png", out, "one")
    assert [job.output.name for job in planned(photos, wishes).jobs] == ["a.png", "b.jpg"]
    write_image(out / "a_compare.png", photo())
    assert planned(photos, wishes).finished == 1
    (out / "a.png").unlink()  # its comparison does not stand in the way
    assert [job.output.name for job in planned(photos, wishes).jobs] == ["a.png", "b.jpg"]
    write_image(out / "sub" / "b_compare.png", photo())
    assert any("b_compare.png: exists" in message for _, message in planned(photos, wishes).failures)


def test_results_that_meet_are_refused_before_anything(photos: Path, tmp_path: Path) -> None:
    write_image(photos / "a.jpg", photo())
    with pytest.raises(ConfigError, match=r"out/a\.png: would be the result of"):
        planned(photos, Wishes(Target(), Encoding("png"), out=tmp_path / "out"))
    with pytest.raises(ConfigError, match=r"a\.jpg: must not be written over, because it is one of the photos"):
        planned(photos, Wishes(Target(), Encoding("jpeg"), out=photos, force=True), "a.png", "a.jpg")
