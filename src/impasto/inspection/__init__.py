"""What a style file holds: its metadata, its network's layers, and a drawing of them."""


from impasto.inspection.layers import Inspection, Layer, inspect_style, layers_of

__all__ = ["Inspection", "Layer", "inspect_style", "layers_of"]
