"""`impasto train`."""


def train() -> None:
    """Not yet."""
    raise NotImplementedError
