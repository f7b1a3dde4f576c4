"""`impasto weights`."""


def weights() -> None:
    """Not yet."""
    raise NotImplementedError
