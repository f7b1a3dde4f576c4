"""OpenVINO without its telemetry, which would tell Google Analytics of every import. Import it from here alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

TELEMETRY = "openvino_telemetry"


@contextmanager
def _untold() -> Iterator[None]:
    """Meanwhile the telemetry package seems not to be installed: OpenVINO then takes a stub of its own."""
    before = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # which makes its import an ImportError
    try:
        yield
    finally:
        del sys.modules[TELEMETRY]
        if before is not None:
            sys.modules[TELEMETRY] = before


with _untold():
    import openvino as ov
    from openvino import opset15 as op
    from openvino.preprocess import PrePostProcessor

__all__ = ["PrePostProcessor", "op", "ov"]
