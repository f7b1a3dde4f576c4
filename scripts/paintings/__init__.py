"""Four paintings drawn by nothing but a seed. Lengths are in pixels of the finished picture, colours in OKLab."""
