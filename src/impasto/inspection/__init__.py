"""What a style file holds: its metadata, its network's layers, and a drawing of them."""

from impasto.inspection.graph import check_graph_target, draw_graph
from impasto.inspection.layers import Inspection, Layer, inspect_style, layers_of

__all__ = ["Inspection", "Layer", "check_graph_target", "draw_graph", "inspect_style", "layers_of"]
