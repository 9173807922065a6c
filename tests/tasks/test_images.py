"""Images in one file: each once, in order, and none that does not open."""

from __future__ import annotations

import io

import PIL.Image
import pytest

from gradcost.tasks import images


def picture(size: tuple[int, int] = (8, 6), colour: str = "red", kind: str = "png") -> bytes:
    made = io.BytesIO()
    PIL.Image.new("RGB", size, colour).save(made, kind)
    return made.getvalue()


def test_images_come_back_by_their_number(tmp_path):
    # more than are stored together
    images.write(tmp_path / "f", ((str(n), picture((n + 1, 2))) for n in range(200)))
    found = images.Images(tmp_path / "f")
    assert len(found) == 200
    assert [found[n].size[0] for n in (199, 0, 64, 63)] == [200, 1, 65, 64]


def test_every_image_becomes_one_in_colours(tmp_path):
    grey = io.BytesIO()
    PIL.Image.new("LA", (3, 3)).save(grey, "png")
    images.write(tmp_path / "f", [("a", grey.getvalue())])
    assert images.Images(tmp_path / "f")[0].mode == "RGB"


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_an_image_that_is_cut_off_is_named(tmp_path, kind, share):
    whole = picture((64, 64), kind=kind)
    cut = whole[: int(share * len(whole))]
    with pytest.raises(ValueError, match=r"the image b\.png does not open"):
        images.write(tmp_path / "f", [("a.png", whole), ("b.png", cut)])


@pytest.mark.parametrize("raised", [
    SyntaxError("broken PNG file"), ValueError("not enough image data"),
    PIL.Image.DecompressionBombError("exceeds limit of 178956970 pixels"),
])  # fmt: skip
def test_whatever_pillow_says_of_an_image_it_is_named(tmp_path, monkeypatch, raised):
    def refuse(_):
        raise raised

    monkeypatch.setattr(PIL.Image, "open", refuse)
    with pytest.raises(ValueError, match=f"the image b.png does not open: {raised}"):
        images.write(tmp_path / "f", [("b.png", picture())])


def test_an_image_of_more_pixels_than_any_photograph_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 30)
    with pytest.raises(ValueError, match=r"the image b\.png does not open: .*decompression bomb"):
        images.write(tmp_path / "f", [("b.png", picture((64, 64)))])


def test_no_images_make_a_file_too(tmp_path):
    images.write(tmp_path / "f", [])
    assert len(images.Images(tmp_path / "f")) == 0
