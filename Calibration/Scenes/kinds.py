"""The names: things, stuff, colours and patterns, with what the mask decoder is never shown.

Every class name is one token of CLIP's byte-pair encoding, so that a small text tower can learn it as a word.
Synonyms appear in captions only; classes are called by their first name.
"""

from __future__ import annotations

SEEN_THINGS = (
    "ball",
    "box",
    "heart",
    "cross",
    "ring",
    "arrow",
    "moon",
    "gem",
    "tree",
    "apple",
    "flower",
    "leaf",
    "bird",
    "butterfly",
    "bear",
    "cactus",
    "house",
    "key",
    "flag",
    "umbrella",
    "bottle",
    "boat",
    "bus",
    "rocket",
    "bell",
    "clock",
    "book",
    "hat",
    "shirt",
    "lock",
    "balloon",
    "kite",
)
UNSEEN_THINGS = ("star", "car", "fish", "cup", "crown", "mushroom", "cat", "guitar")
SEEN_STUFF = ("grass", "sand", "water", "brick", "road", "sky", "stone", "tile", "carpet", "hay")
UNSEEN_STUFF = ("wood", "snow")

THINGS = SEEN_THINGS + UNSEEN_THINGS
STUFF = SEEN_STUFF + UNSEEN_STUFF
CLASSES = THINGS + STUFF  # category id in the annotations = index + 1
SEEN = SEEN_THINGS + SEEN_STUFF
UNSEEN = UNSEEN_THINGS + UNSEEN_STUFF

SYNONYMS = {
    "ball": "sphere",
    "box": "cube",
    "gem": "diamond",
    "cup": "mug",
    "boat": "ship",
    "car": "automobile",
    "cat": "kitten",
    "moon": "crescent",
    "lock": "padlock",
    "mushroom": "toadstool",
    "flower": "blossom",
    "shirt": "tee",
    "rocket": "spaceship",
    "grass": "lawn",
    "water": "sea",
    "road": "asphalt",
    "stone": "cobbles",
    "tile": "tiles",
    "carpet": "rug",
    "hay": "straw",
    "wood": "planks",
    "brick": "bricks",
    "sky": "clouds",
}

# Mean sRGB of what a colour word is used for; pictures vary around it.
COLOURS = {
    "red": (204, 36, 42),
    "orange": (240, 132, 28),
    "yellow": (243, 212, 52),
    "green": (46, 158, 68),
    "blue": (42, 88, 208),
    "purple": (128, 54, 172),
    "pink": (244, 138, 186),
    "brown": (124, 76, 42),
    "white": (240, 240, 236),
    "black": (42, 42, 48),
}
PATTERNS = ("plain", "striped", "dotted", "checked")


def names(category: str) -> list[str]:
    """What a class is called: its name and its synonym."""
    return [category, *filter(None, [SYNONYMS.get(category)])]
