"""Disk and network: images, style files, weights, downloads."""
