"""Repainting: a style and a backend behind one call."""
