"""The drawing: its words, its colours, and that nothing overlaps or touches the border."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from impasto.config import NetworkConfig
from impasto.core.transformer import TransformerNet
from impasto.errors import ImpastoError
from impasto.files import style_file
from impasto.inspection import Inspection, draw_graph, inspect_style, layers_of
from impasto.inspection.boxes import boxes_of
from impasto.inspection.graph import COLOURS, DOTS_PER_INCH, MARGIN
from impasto.inspection.layout import lay_out
from impasto.training.result import make_style


def inspected(folder: Path, width: int = 4, blocks: int = 1, names: tuple[str, ...] = ("wave",)) -> Inspection:
    torch.manual_seed(0)
    network = NetworkConfig(width=width, blocks=blocks, styles=len(names))
    path = folder / "wave.safetensors"
    style_file.save(path, make_style(network, TransformerNet(network).state_dict(), names, {}))
    return inspect_style(path)


def words_in(svg: Path) -> list[str]:
    """As a viewer shows them: runs of usual spaces count as one."""
    texts = [element.text or "" for element in ET.parse(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert not any("  " in text or text != text.strip(" ") for text in texts)
    return [text.replace("\u00a0", " ") for text in texts]


def test_svg_holds_the_words(tmp_path: Path) -> None:
    found = inspected(tmp_path, blocks=3, names=("wave $x$ & <b>", "sta]]>rry"))
    words = words_in(draw_graph(found, tmp_path / "net.svg"))
    assert "wave $x$ & <b>, sta]]>rry" in words
    assert f"{found.parameters:,} parameters" in words
    assert any("2 styles" in text for text in words)
    blocks = [f"blocks.{number}.{part}" for number in range(3) for part in ("first", "second")]
    assert all(name in words for name in [*blocks, "down.0", "up.1", "head"])
    assert [text for text in words if text.startswith("block ")] == ["block 1", "block 2", "block 3"]
    assert {"conv 9×9", "conv 3×3, stride 2", "nearest ×2  →  conv 3×3", "stylized image"} <= set(words)
    assert words.count("16 × 64 × 64") == 1 + 3 * 3  # down.2, and two convolutions and a sum in each block


def test_equal_networks_give_equal_files(tmp_path: Path) -> None:
    found = inspected(tmp_path)
    files = [draw_graph(found, tmp_path / name).read_bytes() for name in ("a.svg", "b.svg", "a.png", "b.png")]
    assert files[0] == files[1]
    assert files[2] == files[3]


@pytest.mark.parametrize(("blocks", "name"), [(0, "a"), (1, "A name much longer than any page is wide " * 3)])
def test_png_has_its_colours_and_a_free_border(blocks: int, name: str, tmp_path: Path) -> None:
    path = draw_graph(inspected(tmp_path, width=16, blocks=blocks, names=(name,)), tmp_path / "net.png")
    pixels = np.array(Image.open(path).convert("RGB"))
    border = int(0.8 * MARGIN * DOTS_PER_INCH)
    inside = pixels[border:-border, border:-border].copy()
    pixels[border:-border, border:-border] = pixels[0, 0]
    assert (pixels == pixels[0, 0]).all()
    shown = {tuple(colour) for colour in inside[::5, ::5].reshape(-1, 3).tolist()}
    for role in ("photo", "conv", "down", "up"):
        assert tuple(bytes.fromhex(COLOURS[role][1:])) in shown
    assert (tuple(bytes.fromhex(COLOURS["residual"][1:])) in shown) == (blocks > 0)


@pytest.mark.parametrize("blocks", [0, 1, 12])
def test_layout_is_an_hourglass_without_overlap(blocks: int) -> None:
    boxes = boxes_of(layers_of(TransformerNet(NetworkConfig(width=16, blocks=blocks)).eval(), 1))
    layout = lay_out(boxes)
    placed = {item.box.name: item for item in layout.boxes}
    assert all(upper.bottom + 0.1 < lower.top for upper, lower in pairwise(layout.boxes))
    assert placed["photo"].width == placed["up.1"].width > placed["up.0"].width > placed["down.2"].width
    assert placed["photo"].height < placed["down.0"].height < placed["down.2"].height
    assert len(layout.arcs) == len(layout.panels) == blocks
    for upper, lower in pairwise(layout.panels):
        assert upper.bottom < lower.top
    for arc, panel in zip(layout.arcs, layout.panels, strict=True):
        assert panel.left < arc.left - arc.swing
        assert panel.top < arc.top < arc.bottom < panel.bottom
    roles = [item.role for item in layout.boxes if item.box.name.startswith("blocks")]
    assert roles == ["residual", "residual", "join"] * blocks


def test_a_file_that_must_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = inspected(tmp_path)
    (tmp_path / "there.svg").write_text("mine")
    (tmp_path / "folder.png").mkdir()
    for name, problem in {
        "net.pdf": r"one of \.svg, \.png",
        "net": r"one of \.svg, \.png",
        "there.svg": "add --overwrite",
        "folder.png": "a folder",
        "there.svg/net.svg": "cannot write",
    }.items():
        with pytest.raises(ImpastoError, match=problem):
            draw_graph(found, tmp_path / name)
    assert (tmp_path / "there.svg").read_text() == "mine"
    draw_graph(found, tmp_path / "there.svg", overwrite=True)
    assert "head" in words_in(tmp_path / "there.svg")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImpastoError, match=r"pip install 'impasto\[train\]'"):
        draw_graph(found, tmp_path / "net.png")
    assert not list(tmp_path.glob(".*"))
