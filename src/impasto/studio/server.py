"""The studio's server: places, page, gate and uvicorn put together, from the first line to the last."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from impasto.studio.limits import Limits
from impasto.studio.options import StudioOptions, listening, url_of
from impasto.studio.places import Places, opened

if TYPE_CHECKING:
    from impasto.studio.gate import Gate
    from impasto.studio.studio import Studio

AT_MOST = 35.0
"""Seconds beyond `farewell` after which a server ends, whatever its threads are still at; a training gets most of them
to save itself."""


def serve(options: StudioOptions, announce: Callable[[str], None], limits: Limits | None = None) -> None:
    """Serves the page until Ctrl-C or SIGTERM, which come out as KeyboardInterrupt.

    Args:
        announce: Called with lines for the user: a warning, and the address once the page is there.

    Raises:
        ImpastoError: the library, the port or the host can't be had.
        ImportError: Gradio is not installed.
    """
    with opened(options.folder, limits or Limits()) as places, listening(options) as door:
        be_offline(places)
        from impasto.studio.studio import open_studio  # and Gradio, which looks at the environment only now

        with open_studio(places) as studio:
            gate = assemble(studio, places, options)
            if (warning := options.warning()) is not None:
                announce(warning)
            run(gate, door, places, lambda: _open(options, url_of(options, door.getsockname()[1]), announce))


def _open(options: StudioOptions, url: str, announce: Callable[[str], None]) -> None:
    """The server answers: says so, and shows the page where that was asked for."""
    announce(f"Impasto studio: {url}  (Ctrl-C ends it)")
    if options.opens_browser:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def be_offline(places: Places) -> None:
    """Tells Gradio and the Hub's client, before they are imported, where to write and to ask nobody anything."""
    os.environ.update(
        GRADIO_TEMP_DIR=str(places.uploads),
        GRADIO_ANALYTICS_ENABLED="False",
        GRADIO_MCP_SERVER="False",
        GRADIO_SSR_MODE="False",
        GRADIO_RUN_HISTORY="False",
        HF_HUB_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        DISABLE_TELEMETRY="1",
        DO_NOT_TRACK="1",
    )
    # What this process writes without saying where; those that it starts have their own.
    tempfile.tempdir = str(places.scratch / "work")


def assemble(studio: Studio, places: Places, options: StudioOptions) -> Gate:
    """The page behind its gate. Imports Gradio, which `be_offline` has to come before."""
    import gradio as gr
    from fastapi import FastAPI

    from impasto.studio import page
    from impasto.studio.gate import Gate, Visitors
    from impasto.studio.parts import web
    from impasto.studio.theme import theme

    blocks = page.build(studio)
    # An open API would let `/run` pass by the queue and its bounds.
    blocks.queue(api_open=False, default_concurrency_limit=places.limits.stylizing, max_size=places.limits.waiting)
    blocks.state_session_capacity = places.limits.sessions
    app = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        "/",
        auth=None if options.auth is None else [options.auth],
        auth_message="The studio of Impasto is open to those who have its name and password.",
        footer_links=[],
        run_history=False,
        show_error=True,
        max_file_size=places.limits.upload_bytes,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        theme=theme(),
        css=web("studio.css"),
        head=f"<script>{web('common.js')}</script>",
    )
    places.settle()
    is_member = None if options.auth is None else _membership(app.routes[-1].app)
    return Gate(app, places, Visitors(options.hosts, is_member, [f"/{name}" for name, *_ in blocks.pages if name]))


def _membership(app: Any) -> Callable[[dict[str, str]], bool]:
    """Whether cookies are of somebody who has logged in, by Gradio's own memory of it."""
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return lambda cookies: any(cookies.get(name) in app.tokens for name in names)


def run(gate: Gate, door: socket.socket, places: Places, ready: Callable[[], None]) -> None:
    """Answers at `door` until a signal ends it; calls `ready` as soon as it does."""
    import uvicorn

    from impasto.studio.connections import configured

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            _end_after(AT_MOST + places.limits.farewell, places)
            # It would print a traceback for each page that is still open.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            await super().shutdown(sockets)

    Server(configured(gate, places.limits)).run([door])


def _end_after(seconds: float, places: Places) -> None:
    """Ends the process even if a thread of it does not."""

    def leave() -> None:
        shutil.rmtree(places.scratch, ignore_errors=True)
        os._exit(130)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
