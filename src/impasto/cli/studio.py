"""`impasto studio`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from impasto.cli.progress import console, error_console
from impasto.studio.options import StudioOptions, has_desktop, parse_auth
from impasto.studio.server import serve


def studio(
    *,
    folder: Path | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    auth: str | None = None,
    open_browser: Annotated[bool | None, Parameter(name="--open", negative="--no-open")] = None,
) -> None:
    """Open the studio: everything in a web page, on this computer and offline.

    Ctrl-C ends it. A training that is under way can be taken up again at the next start.

    Parameters
    ----------
    folder
        Where styles and trainings are kept (default: studio in $IMPASTO_HOME, or in the user's data folder).
    host
        The address to answer at; 0.0.0.0 lets other computers in, and should have --auth.
    port
        The port to answer at (default: 7860, or the next free one).
    auth
        USER:PASSWORD that everyone has to give; $IMPASTO_STUDIO_AUTH does the same and shows in no list of processes.
    open_browser
        Open the page in a browser (default: where there is a desktop).
    """
    opens = has_desktop() if open_browser is None else open_browser
    serve(StudioOptions(folder, host, port, parse_auth(auth), opens), _announce)


def _announce(line: str) -> None:
    if line.startswith(("warning", "note")):
        error_console.print(f"impasto: {line}", soft_wrap=True)
    else:
        console.print(line, soft_wrap=True, highlight=False)
