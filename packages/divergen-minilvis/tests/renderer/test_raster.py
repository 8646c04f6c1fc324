import numpy as np
import pytest
from divergen_minilvis.renderer import solids
from divergen_minilvis.renderer.builder import Builder
from divergen_minilvis.renderer.raster import View, rasterise
from hypothesis import given, settings
from hypothesis import strategies as st

FRONT = View(np.eye(3, dtype=np.float32), perspective=0.0)


def build():
    return Builder(np.random.default_rng(0))


def surfaces(builder):
    return [part.surface for part in builder.parts]


def test_rasterise__ball_covers_a_disc():
    builder = build()
    builder.ball(1.0)
    fragments = rasterise(surfaces(builder), FRONT, 100)
    assert len(fragments.pixel) == pytest.approx(np.pi * 50**2, rel=0.03)


def test_rasterise__ball_normals_point_outward():
    builder = build()
    builder.ball(1.0)
    fragments = rasterise(surfaces(builder), FRONT, 100)
    assert np.allclose(np.linalg.norm(fragments.normal, axis=1), 1, atol=1e-3)
    assert np.einsum("ij,ij->i", fragments.normal, fragments.place).min() > 0.7


def test_rasterise__nearer_part_wins():
    builder = build()
    builder.box((2, 2, 0.2), at=(0, 0, 0))
    builder.box((1, 1, 0.2), at=(0, 0, 1))
    fragments = rasterise(surfaces(builder), FRONT, 60)
    middle = fragments.part[np.abs(fragments.place[:, :2]).max(1) < 0.3]
    assert (middle == 1).mean() > 0.99


@settings(max_examples=25, deadline=None)
@given(st.floats(-180, 180), st.floats(-80, 80), st.integers(12, 180))
def test_rasterise__a_box_has_no_holes(yaw, pitch, extent):
    builder = build()
    builder.box((1, 2, 0.7))
    matrix = solids.rotation((pitch, 0, 0)) @ solids.rotation((0, yaw, 0))
    fragments = rasterise(surfaces(builder), View(matrix), extent)
    mask = np.zeros(fragments.size, bool)
    mask.flat[fragments.pixel] = True
    inner = mask[1:-1, 1:-1]
    around = sum(mask[1 + y : mask.shape[0] - 1 + y, 1 + x : mask.shape[1] - 1 + x].astype(int)
                 for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y)  # fmt: skip
    assert not (~inner & (around == 8)).any()


def test_rasterise__mirrored_view():
    builder = build()
    builder.box((0.2, 0.2, 0.2), at=(1, 0, 0))
    builder.box((0.4, 1.0, 0.2), at=(-1, 0, 0))
    left, right = (
        rasterise(surfaces(builder), View(np.eye(3, dtype=np.float32), 0.0, mirrored), 80) for mirrored in (False, True)
    )
    big = [np.median(f.pixel[f.part == 1] % f.size[1]) / f.size[1] for f in (left, right)]
    assert big[0] < 0.5 < big[1]


def test_pillow__holes_are_open():
    ring = solids.circle(40)
    faces = solids.pillow(ring, 0.2, holes=[ring * 0.5])
    fragments = rasterise(faces, FRONT, 100)
    radius = np.linalg.norm(fragments.place[:, :2], axis=1)
    assert radius.min() > 0.45
    assert len(fragments.pixel) == pytest.approx(np.pi * 50**2 * 0.75, rel=0.06)


def test_smooth__passes_through_the_points():
    points = np.array([[0, 0], [1, 2], [3, 1]], np.float32)
    line = solids.smooth(points, 5)
    assert np.allclose(line[[0, 2, 4]], points, atol=1e-5)


def test_rotation__degrees_about_z():
    assert np.allclose(solids.rotation((0, 0, 90)) @ [1, 0, 0], [0, 1, 0], atol=1e-6)


def test_rasterise__a_cut_cell_that_reaches_past_the_canvas_is_clipped():
    """Seen is a wedge of each of the outer cells, whose far corners do not count for the extent."""
    x, y = np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5))
    points = np.stack([x, y, 0 * x], -1).astype(np.float32)
    inside = np.where(np.maximum(abs(x), abs(y)) < 0.9, 1, -0.5).astype(np.float32)
    surface = solids.Surface(points, points[..., :2].copy(), inside, closed=False)
    fragments = rasterise([surface], FRONT, 100)
    height, width = fragments.size
    assert fragments.pixel.max() < height * width
    # The place of a pixel is where the pixel is: nothing has come round at the other side.
    left, right = fragments.pixel % width < width / 3, fragments.pixel % width > width * 2 / 3
    assert fragments.place[left, 0].max() < 0 < fragments.place[right, 0].min()
