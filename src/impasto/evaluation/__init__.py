"""How good a style is: its objective against optimization from scratch, and measures of its pictures."""
