"""`impasto inspect`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from impasto import workflows
from impasto.cli.progress import console
from impasto.config import TrainConfig, flatten, option_name

if TYPE_CHECKING:
    from impasto.inspection import Inspection

WIDE = 200
"""Columns for tables that go into a file or a pipe, where nothing needs to be wrapped."""
ROOMY = 88
"""Columns from which the layer table can afford space between its own; usual terminals have 80."""
NAMED = {"painting": "painting", "painting_sha256": "SHA-256", "recipe": "recipe", "iterations": "iterations"}
NAMED |= {"photos": "photos", "minutes": "minutes", "impasto": "impasto", "torch": "torch"}


def inspect(
    style: str, *, size: int = 256, graph: Path | None = None, overwrite: bool = False, json: bool = False
) -> None:
    """Show what a style file holds: where it comes from, and its network layer by layer.

    Parameters
    ----------
    style
        A bundled style's name (`impasto styles` lists them) or a style file.
    size
        Side of the square photo that output shapes and MACs are for, in pixels.
    graph
        Draw the network into this file, .svg or .png.
    overwrite
        Replace a graph that exists.
    json
        Print everything as JSON, and nothing else.
    """
    from impasto.inspection import check_graph_target, draw_graph, inspect_style

    if graph is not None:
        check_graph_target(graph, overwrite)
    inspection = inspect_style(workflows.style_path(style), size)
    if graph is not None:
        draw_graph(inspection, graph, overwrite=overwrite)
    if json:
        _print_json(inspection, graph)
    else:
        _print_tables(inspection, graph)


def _print_json(inspection: Inspection, graph: Path | None) -> None:
    values = inspection.as_json() | ({} if graph is None else {"graph": str(graph)})
    # Only ASCII, so that a terminal of any encoding can show it and a pipe of any encoding carry it.
    print(json.dumps(values, indent=2))


def _print_tables(inspection: Inspection, graph: Path | None) -> None:
    out = Console(highlight=False, markup=False, width=None if console.is_terminal else WIDE)
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for label, value in _facts(inspection):
        facts.add_row(label, _printable(value))
    out.print(facts, "", _layer_table(inspection, narrow=out.width < ROOMY), sep="\n")
    per_pixel = f"{inspection.macs_per_pixel / 1e3:,.1f} k MACs per pixel"
    out.print(f"\n{per_pixel}; a MAC is a multiplication and an addition, shapes are channels×height×width")
    if graph is not None:
        console.print(f"graph: {graph}")


def _facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    network, provenance = inspection.style.network, inspection.style.provenance
    options = provenance.get("options", {})
    blocks = "1 block" if network.blocks == 1 else f"{network.blocks} blocks"
    yield "file", f"{inspection.file} ({inspection.bytes:,} bytes)"
    yield ("style" if network.styles == 1 else "styles"), ", ".join(inspection.style.names)
    yield (
        "network",
        f"width {network.width}, {blocks}, {network.padding} padding, {network.output} output",
    )
    yield "parameters", f"{inspection.parameters:,}"
    known = dict(provenance)
    for key, label in NAMED.items():
        if key in known:
            yield label, _shown(known.pop(key))
        if key == "recipe" and "loss_network" in options:
            yield "loss network", _shown(options["loss_network"])
    known.pop("options", None)
    for key, value in known.items():
        yield key.replace("_", " "), _shown(value)
    if options:
        yield "options", _differences(options)


def _differences(options: Mapping[str, Any]) -> str:
    """The options of the training that are not the defaults, as one would type them."""
    usual = {name: json.loads(json.dumps(value)) for name, value in flatten(TrainConfig()).items()}
    usual["styles"] = options.get("styles")  # no option of the command line
    told = [f"{option_name(name)} {_shown(value)}" for name, value in options.items() if usual.get(name) != value]
    return "  ".join(told) if told else "the defaults"


def _layer_table(inspection: Inspection, narrow: bool) -> Table:
    table = Table(
        box=None, pad_edge=False, collapse_padding=narrow, header_style="bold", show_footer=True, footer_style="bold"
    )
    parameters = sum(layer.parameters for layer in inspection.layers)
    table.add_column("layer", "total", no_wrap=True)
    table.add_column("kind", f"of a {inspection.size}×{inspection.size} photo")
    table.add_column("output", justify="right", no_wrap=True)
    table.add_column("parameters", f"{parameters:,}", justify="right", no_wrap=True)
    table.add_column("MACs", _si(inspection.macs), justify="right", no_wrap=True)
    for layer in inspection.layers:
        count = f"{layer.parameters:,}" if layer.parameters else ""
        table.add_row(layer.name, layer.kind, "×".join(map(str, layer.output)), count, _si(layer.macs))
    return table


def _si(count: int) -> str:
    """`1.21 G`, three digits; nothing for none."""
    for factor, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= factor:
            digits = 2 if count < 10 * factor else 1 if count < 100 * factor else 0
            return f"{count / factor:,.{digits}f} {letter}"
    return str(count) if count else ""


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _printable(text: str) -> str:
    """What a file says about itself could hold codes that command a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
