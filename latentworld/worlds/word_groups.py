"""Words of a prompt as an artist reads them: what there is, of what, in which light and colour, how it is seen.

grouped(("snow", "planet", "violet"))    # {"things": ("planet",), "light and air": (), ...} without what is empty
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

THINGS = "things"  # whatever is in no other group
_SPELT = {
    "materials": ("agate filigree icy marble polished sand snow stone texture veined veins water "),
    "light and air": (
        "calm casting dramatic glittering haze light lighting lit mist raking reflected reflection shadows still "
        "sun sunlight "
    ),
    "colours": (
        "black bright celadon colors colours dark ember forest ginger gold grey greyscale indigo ink oxblood pale "
        "petrol plum rose tones vermilion white "
    ),
    "forms": (
        "banded blaze bold broad covered cratered crescent crowded curved few fold full gentle interlaced "
        "intricate large long many mirrored ring ringed rings rippled ripples single soft symmetric tabby tall "
        "two vast wide winding "
    ),
    "views": (
        "above across artifacts background below blurry camera close detail detailed distant face high horizon "
        "image left like looking low nasa open photo photography picture portrait quality ray realistic "
        "resolution right scientific seen sharp sitting slice stock surface top ugly view visible "
    ),
}
GROUPS: Mapping[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _SPELT.items()}


def grouped(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Words by group, in the order that they came in; groups without a word are left out."""
    found: dict[str, list[str]] = {THINGS: [], **{name: [] for name in GROUPS}}
    for word in words:
        found[next((name for name, group in GROUPS.items() if word in group), THINGS)].append(word)
    return {name: tuple(group) for name, group in found.items() if group}
