"""`impasto doctor`."""

from __future__ import annotations

import json as json_format

from rich.table import Table

from impasto import workflows
from impasto.cli.progress import console
from impasto.errors import ImpastoError
from impasto.version import __version__

STATES = {"taken": "takes this", "ready": "ready", "off": "off", "missing": "not here"}


def doctor(*, json: bool = False) -> None:
    """Show what this machine has, which backend repaints here, and why.

    Parameters
    ----------
    json
        Print everything as JSON, and nothing else.
    """
    here, found = workflows.machine(), list(workflows.verdicts())
    if json:
        facts = {**vars(here), "impasto": __version__, "cache": str(here.cache)}
        tried = [{**vars(one.choice), "state": one.state, "why": one.why, "psnr": one.psnr} for one in found]
        print(json_format.dumps({**facts, "backends": tried}, indent=2))
        return
    memory = "unknown" if here.free_memory is None else f"{here.free_memory / 1e9:.1f} GB free"
    console.print(f"impasto {__version__}, Python {here.python}, {here.system}")
    console.print(f"{here.processor}, {here.cores} cores, {memory}")
    versions = ", ".join(f"{name} {version}" for name, version in here.packages.items() if version)
    console.print(f"installed: {versions}")
    console.print(f"cache: {here.cache}\n")
    table = Table("backend", "precision", "device", "", "accuracy", "why", box=None, pad_edge=False)
    table.header_style = "bold"
    for one in found:
        accuracy = "" if one.psnr is None else f"{min(one.psnr, 99):.0f} dB"
        choice = one.choice
        table.add_row(choice.backend, choice.precision, choice.device, STATES[one.state], accuracy, one.why)
    console.print(table)
    if not any(one.state == "taken" for one in found):
        raise ImpastoError("no backend works here: pip install --upgrade openvino")
