"""A short training on real photos with a real loss network, where a folder `shared` lies beside the project."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import pytest

from support import Command

SHARED = Path(__file__).resolve().parents[3] / "shared"
WEIGHTS = SHARED / "loss" / "squeezenet1_0_imagenet.safetensors"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not WEIGHTS.exists(), reason="needs ../shared")]


@pytest.mark.parametrize("painting", ["starry_night", "udnie"])
def test_both_losses_fall_on_real_photos(painting: str, impasto: Command, tmp_path: Path) -> None:
    done = impasto(
        *("train", SHARED / "styles" / f"{painting}.jpg", "--photos", SHARED / "photos"),
        *("--loss-network", "squeezenet", "--loss-weights", WEIGHTS, "--balanced"),
        *("--width", "8", "--image-size", "128", "--style-size", "128", "--max-iterations", "150"),
        *("--out", tmp_path / "style.safetensors", "--run-dir", tmp_path / "run"),
        OMP_NUM_THREADS="2",
    )
    assert done.returncode == 0, done.stderr
    entries = [json.loads(line) for line in (tmp_path / "run" / "losses.jsonl").read_text().splitlines()]
    assert len(entries) == 150
    for name, share in (("style_loss", 0.6), ("content_loss", 0.8)):
        first, last = (fmean(entry[name] for entry in part) for part in (entries[:10], entries[-10:]))
        assert last < share * first, name
