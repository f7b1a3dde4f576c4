"""Known motion: flows against answers worked out by hand, on pictures of which every value between pixels is known."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from impasto.core.motion import ANGLE, BEND, BORDER, SHIFT, ZOOM, motion, random_motion

H, W = 40, 56


def ramp(height: int = H, width: int = W) -> torch.Tensor:
    """Its first channel is x, its second y, its third 2x − y, all in pixels."""
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return torch.stack([x, y, 2 * x - y])[None]


def test_whole_pixels_move_exactly() -> None:
    image = torch.rand(2, 3, H, W, generator=torch.Generator().manual_seed(0))
    moved = motion(H, W, (3, -2))
    next_frame = moved.warp(image)
    torch.testing.assert_close(next_frame[..., :-2, 3:], image[..., 2:, :-3], atol=1e-5, rtol=0)
    assert not moved.seen()[:, : 3 + BORDER].any()
    assert not moved.seen()[-2 - BORDER :].any()
    assert moved.seen()[BORDER : -2 - BORDER, 3 + BORDER : -BORDER].all()


@pytest.mark.parametrize(
    ("how", "source"),
    [
        ({"shift": (2.4, -1.7)}, lambda x, y: (x - 2.4, y + 1.7)),
        ({"zoom": 1.25}, lambda x, y: (x / 1.25, y / 1.25)),
        # Turned to the right by 30°: what is on the right now was above, in part.
        ({"angle": math.pi / 6}, lambda x, y: (x * 0.75**0.5 + y / 2, y * 0.75**0.5 - x / 2)),
        ({"shift": (5.0, 0.0), "zoom": 2.0}, lambda x, y: ((x - 5) / 2, y / 2)),
    ],
)
def test_between_pixels_it_is_where_it_came_from(how: dict[str, object], source: object) -> None:
    moved = motion(H, W, **how)
    x, y = ramp()[0, 0] - (W - 1) / 2, ramp()[0, 1] - (H - 1) / 2
    from_x, from_y = source(x, y)
    from_x, from_y = from_x + (W - 1) / 2, from_y + (H - 1) / 2
    expected = torch.stack([from_x, from_y, 2 * from_x - from_y])
    seen = moved.seen()
    assert 0.3 < seen.float().mean() < 1
    # The cubic curve of torch (a = −0.75) is up to a tenth of a step off on a straight line.
    torch.testing.assert_close(moved.warp(ramp())[0][:, seen], expected[:, seen], atol=0.3, rtol=0)


def test_bends_are_smooth_and_as_large_as_said() -> None:
    bends = torch.zeros(2, 3, 3)
    bends[0, 1, 1] = 4.0
    flow = motion(41, 41, bends=bends).flow
    assert flow[20, 20].tolist() == pytest.approx([4, 0], abs=1e-4)
    assert flow[0, 0].abs().max() < 1e-4
    assert flow.diff(dim=0).abs().max() < 0.5


@given(st.integers(0, 2**32))
def test_random_motion_stays_within_its_bounds_and_repeats(seed: int) -> None:
    first, again = (random_motion(H, W, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert torch.equal(first.flow, again.flow)
    farthest = math.hypot(H, W) / 2
    most = SHIFT * math.sqrt(2) + (ZOOM + ANGLE) * (farthest + SHIFT) * 1.1 + 2 * BEND * math.sqrt(2)
    assert first.flow.norm(dim=-1).max() < most


def test_random_motion_stands_still_moves_by_pixels_and_does_all_at_once() -> None:
    flows = [random_motion(H, W, torch.Generator().manual_seed(seed)).flow for seed in range(60)]
    still = [flow for flow in flows if not flow.any()]
    whole = [flow for flow in flows if flow.any() and torch.equal(flow, flow[0, 0].round().expand_as(flow))]
    assert len(still) > 5
    assert len(whole) > 5
    assert len(flows) - len(still) - len(whole) > 15
