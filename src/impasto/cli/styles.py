"""`impasto styles`."""


def styles() -> None:
    """List the bundled styles."""
    raise NotImplementedError
