"""How the page's visitor wants a photo painted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from impasto.config import require
from impasto.errors import ImpastoError
from impasto.stylizing.manner import Manner


@dataclass(frozen=True)
class Look:
    """The choices beside a photo, checked on creation."""

    style: str
    """A style's id."""
    strength: float = 1.0
    """0, the photo, to 1, the style."""
    partner: str | None = None
    """The id of a second style that is mixed in."""
    share: float = 0.5
    """How much of the second: 0 to 1."""
    keep_colors: bool = False
    """Keep the photo's hue and chroma."""
    stroke: float = 1.0
    """Size of the strokes, 0.25 to 4."""

    def __post_init__(self) -> None:
        require(isinstance(self.style, str), "the style is named by its id")
        require(self.partner is None or isinstance(self.partner, str), "the second style is named by its id")
        for name in ("strength", "share", "stroke"):
            value = getattr(self, name)
            require(isinstance(value, int | float), f"the {name} is {value!r:.80}; it is a number")
        if not 0 <= self.share <= 1:
            raise ImpastoError(f"the share of the second style is {self.share}; it must lie between 0 and 1")
        Manner(strength=self.strength, stroke=self.stroke)

    @property
    def mix(self) -> dict[str, float]:
        """The weights of the styles by id."""
        if self.partner is None or self.partner == self.style or self.share == 0:
            return {self.style: 1.0}
        return {self.style: 1 - self.share, self.partner: self.share}

    def manner(self, rows: Mapping[str, str], stroke: float | None = None) -> Manner:
        """The same for a Stylizer, whose name of each style's row is in `rows`."""
        return Manner(
            style={rows[style]: weight for style, weight in self.mix.items()},
            strength=self.strength,
            colors="photo" if self.keep_colors else "style",
            stroke=self.stroke if stroke is None else stroke,
        )
