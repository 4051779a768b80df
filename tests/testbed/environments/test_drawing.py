"""Pictures of discs."""

import numpy as np
import pytest

from testbed.environments.drawing import OUTLINE, SMALLEST_TEXT, Disc, draw, numbered, view


def test_every_pixel_is_what_painting_whole_layers_gives() -> None:
    """The reference paints each disc over the whole picture: rim, then colour, each by how far it covers."""
    generator = np.random.default_rng(0)
    pixels, half_width = 80, 2.5
    centres = (np.arange(pixels) + 0.5) * (2 * half_width / pixels) - half_width
    for _ in range(20):
        discs = [
            Disc(
                *generator.uniform(-3, 3, size=2),
                radius=generator.uniform(0, 0.8),
                colour=tuple(generator.integers(256, size=3).tolist()),
                rim=bool(generator.integers(2)),
            )
            for _ in range(12)
        ]
        expected = np.full((pixels, pixels, 3), 255.0)
        for disc in discs:
            distance = np.hypot(centres[None, :] - disc.x, -centres[:, None] - disc.y)
            inside = (disc.radius - distance) * pixels / (2 * half_width)  # in pixels
            for wider, colour in ((1, (255, 255, 255)),) * disc.rim + ((0, disc.colour),):
                cover = np.clip(inside + wider + 0.5, 0, 1)[..., None]
                expected = expected * (1 - cover) + np.array(colour) * cover
        picture = draw(discs, half_width=half_width, pixels=pixels)
        assert np.abs(picture - expected).max() <= 0.5 + 1e-9


def test_the_outline_of_a_square_lies_below_the_discs() -> None:
    picture = draw([Disc(1.0, 0.0, 0.2, (9, 9, 9))], half_width=2.0, pixels=200, square=1.0)
    grey = (picture == OUTLINE).all(axis=2)
    assert grey[50, 60:140].all()  # y = 1 and x = -1
    assert grey[60:140, 50].all()
    assert not grey[60:140, 60:140].any()
    assert not grey[:40].any()
    assert picture[100, 150].tolist() == [9, 9, 9]


def test_a_number_stands_in_the_middle_of_a_disc_that_is_large_enough_and_is_cut_at_the_edge() -> None:
    disc = Disc(0.0, 0.0, 0.2, (0, 114, 178))
    plain, shown = (draw(discs, half_width=1.0, pixels=200) for discs in ([disc], numbered(disc, 7)))
    rows, columns = np.nonzero((plain != shown).any(axis=2))
    assert abs(rows.mean() - 99.5) < 4
    assert abs(columns.mean() - 99.5) < 4
    assert np.hypot(rows - 99.5, columns - 99.5).max() < 20
    assert shown[rows, columns].min(axis=1).max() > 200  # white
    small = Disc(0.0, 0.0, SMALLEST_TEXT / 400, (0, 114, 178))
    without, with_number = (
        draw(discs, half_width=1.0, pixels=200) for discs in ([small], numbered(small, 7))
    )
    assert np.array_equal(without, with_number)
    for x, y in ((1.0, 1.0), (-1.0, -1.0), (5.0, 0.0)):
        draw(numbered(Disc(x, y, 0.2, (255, 255, 0)), 12), half_width=1.0, pixels=100)


@pytest.mark.parametrize(("furthest", "half"), [(0.2, 1.0), (1.0, 1.0), (1.01, 1.5), (1.5, 1.5), (7.3, 7.5)])
def test_a_view_holds_everything_and_changes_in_steps(furthest: float, half: float) -> None:
    assert view(furthest) == half
