"""Words of a prompt as an artist reads them: what there is, of what, in which light and colour, how it is seen.

grouped(("snow", "planet", "violet"))    # {"things": ("planet",), "light and air": (), ...} without what is empty
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

THINGS = "things"  # whatever is in no other group
_SPELT = {
    "materials": (
        "birch cells cherry cloth ebony fabric filigree grain honey icy ivory marble mosaic oak pine plank "
        "polished rock sand snow stone terracotta texture textures threads tiles veins walnut water wood woven "
    ),
    "light and air": (
        "air alpenglow burning calm casting clear cold dawn day daylight dramatic dusk evening glittering glowing "
        "haze light lighting lit mist misty moonlight moonlit morning night noon polar raking reflected reflection "
        "shadows still storm sun sunlight sunrise sunset tropics twilight warm winter "
    ),
    "colours": (
        "amber amethyst black blue bright brown charcoal colorful colors colours copper coral cream crimson dark "
        "emerald ginger gold golden green grey greyscale indigo mint orange pale peacock pink plum purple red rose "
        "rosy ruby rust sapphire teal tones turquoise violet white yellow "
    ),
    "forms": (
        "bands blaze bold broad covered cratered crescent crowded curved discs flowing fold gentle interlaced "
        "intricate labyrinth large layered long maze mirrored natural organic ring ringed rings round rounded "
        "single slit small soft specks symmetric tabby tall tiling tilted vast wide winding few two three four "
        "many full "
    ),
    "views": (
        "above across artifacts background below blurred blurry camera close detail detailed distant face high "
        "horizon image left like looking low nasa open photo photography picture portrait quality ray realistic "
        "resolution right scientific seen sharp sitting stock surface top ugly view visible "
    ),
}
GROUPS: Mapping[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _SPELT.items()}


def grouped(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Words by group, in the order that they came in; groups without a word are left out."""
    found: dict[str, list[str]] = {THINGS: [], **{name: [] for name in GROUPS}}
    for word in words:
        found[next((name for name, group in GROUPS.items() if word in group), THINGS)].append(word)
    return {name: tuple(group) for name, group in found.items() if group}
