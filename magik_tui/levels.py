"""How a cosine is judged: eight levels of loss, the colour and the glyph of each.

Level 0 is a layer that lost nothing, level 7 one that is gone. The floors follow the workflow's own verdicts: above 0.99 is
healthy, 0.98 is the border below which a layer is worth a look, below 0.95 something is broken.
"""

from __future__ import annotations

FLOORS = (0.999, 0.995, 0.99, 0.98, 0.95, 0.90, 0.80)
HEALTHY = 0.99
BAD = 0.98
BROKEN = 0.95

# Cividis in the 256-colour palette: distinct and monotone in brightness, for colour-blind eyes too. Loud means lost.
BACKGROUNDS = (17, 23, 59, 242, 244, 143, 185, 221)
# Digits must be readable on it; a glyph is drawn in a near colour, so that it does not dim what shall be loud.
DIGIT_INKS = (103, 152, 252, 255, 232, 232, 232, 232)
GLYPH_INKS = (67, 66, 244, 247, 250, 185, 221, 221)
# The same for pictures: paper and ink of digits, per level.
CELL_COLOURS = (
    ("#00005f", "#eeeeee"), ("#005f5f", "#eeeeee"), ("#5f5f5f", "#eeeeee"), ("#6c6c6c", "#ffffff"), ("#808080", "#080808"),
    ("#afaf5f", "#080808"), ("#d7d75f", "#080808"), ("#ffd75f", "#080808"),
)  # fmt: skip
GLYPHS = "··░░▒▓▓█"
NOTHING = "-"


def level(cosine: float) -> int:
    """Return the level of loss of `cosine`: 0 (at least 0.999) to 7 (below 0.80)."""
    for step, floor in enumerate(FLOORS):
        if cosine >= floor:
            return step
    return len(FLOORS)


def permille(cosine: float) -> str:
    """Return the first decimals of `cosine` in three characters, cut and not rounded: 0.9876 is "987", 1 is "1.0"."""
    if cosine >= 1:
        return "1.0"
    if cosine < 0:
        return "neg"
    return f"{int(cosine * 1000):03d}"
