"""Pictures for items that have no photo: a packet of the category's shape and colour, with a pattern of the item's own.

The shapes are symbols of one sprite in the page (templates/sprite.svg). Colours are SVG attributes, not styles, so the
Content-Security-Policy needs no exception. The same item has the same picture everywhere.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from markupsafe import Markup

from serving.web.goods.items import ShopItem

SHAPES = ("bottle", "can", "box", "jar", "bag", "carton", "tub", "fruit", "loaf", "tray", "tube", "card")
PATTERNS = ("dots", "stripes", "waves", "rays", "checks", "plain")
# What the first word of a category that begins so is packed in; other categories draw a shape by their hash.
PACKED_IN = {
    "carton": ("milk", "juice", "fluid", "egg", "cream"),
    "bottle": (
        "beer", "wine", "liquor", "soft", "water", "oil",
        "dressing", "sauce", "syrup", "vinegar", "drink", "liquid",
    ),
    "can": ("can", "soup", "seafood", "beans", "meat", "tuna", "pet", "cat", "dog", "vegetables"),
    "jar": (
        "jar", "pickle", "jam", "peanut", "honey", "olives",
        "spices", "mustard", "salsa", "vitamin", "coffee", "tea",
    ),
    "bag": (
        "bag", "snack", "chips", "candy", "salad", "rice",
        "flour", "sugar", "nuts", "popcorn", "potatoes", "cookies",
    ),
    "box": (
        "frozen", "cereal", "pizza", "crackers", "dinner",
        "tissue", "detergent", "laundry", "pasta", "baking", "diapers",
    ),
    "tub": ("yogurt", "ice", "butter", "margarine", "dips", "cheese", "cheeses", "cottage", "spread"),
    "fruit": (
        "fruit", "apples", "citrus", "tomatoes", "berries",
        "grapes", "melons", "tropical", "stone", "peppers", "onions",
    ),
    "loaf": ("bread", "breads", "rolls", "bakery", "cakes", "pies", "sweets", "muffin", "bagels", "donuts"),
    "tray": (
        "beef", "pork", "chicken", "turkey", "deli", "lunchmeat",
        "hot", "bacon", "sausage", "lamb", "fish", "smoked",
    ),
    "tube": ("hair", "makeup", "oral", "soap", "hand", "shaving", "skin", "deodorants", "hygiene", "lotion"),
    "card": ("magazine", "greeting", "book", "newspaper", "coupon", "misc", "cigarettes", "school", "party"),
}  # fmt: skip
HUES = {
    "loaf": 65, "carton": 245, "bottle": 150, "fruit": 28, "tray": 12, "tub": 340, "box": 275, "jar": 85, "bag": 110,
    "can": 215, "tube": 310, "card": 190,
}  # fmt: skip
HUE_SPREAD = 64  # degrees, among the categories of one shape
_SHAPE_OF = {word: shape for shape, words in PACKED_IN.items() for word in words}


def shape_of(category: str) -> str:
    """By the words of the category's readable name, else by its hash."""
    return _shape_by_words(category) or SHAPES[_draw("shape", category) % len(SHAPES)]


def hue_of(category: str) -> int:
    """Degrees: near the hue of a shape that is known by its words, else any."""
    shape = _shape_by_words(category)
    drawn = _draw("hue", category)
    return drawn % 360 if shape is None else (HUES[shape] + drawn % HUE_SPREAD - HUE_SPREAD // 2) % 360


def _shape_by_words(category: str) -> str | None:
    words = re.findall(r"[a-z]+", category.casefold())
    either = (each for word in words for each in (word, word.removesuffix("s"), f"{word}s"))
    return next((_SHAPE_OF[word] for word in either if word in _SHAPE_OF), None)


@lru_cache(maxsize=20_000)
def art(item: ShopItem) -> Markup:
    """An inline SVG, hidden from screen readers: the item's name stands beside it."""
    own, hue = item.item_id, hue_of(item.category)
    other = (hue + (110, 150, 180, 220)[_draw("other", own) % 4]) % 360
    light = (91, 93, 95)[_draw("light", own) % 3]
    turned = (hue + _draw("turn", own) % 40 - 20) % 360
    pack = f"oklch({44 + _draw('pack', own) % 20}% {_chroma('strength', own, 8, 15)} {turned})"
    label = f"oklch({(90, 94, 97)[_draw('label', own) % 3]}% {_chroma('tint', own, 2, 7)} {other})"
    accent = f"oklch({50 + _draw('accent', own) % 16}% 0.14 {other})"
    back, pattern = f"oklch({light}% 0.035 {hue})", f"oklch({light - 5}% 0.05 {hue})"
    return Markup(
        f'<svg class="art" viewBox="0 0 160 120" preserveAspectRatio="xMidYMid slice" aria-hidden="true" '
        f'focusable="false">'
        f'<rect width="160" height="120" fill="{back}"/>'
        f'<use href="#p-{PATTERNS[_draw("pattern", own) % len(PATTERNS)]}" y="-20" width="160" height="160" '
        f'fill="{pattern}" stroke="{pattern}"/>'
        f'<use href="#s-{shape_of(item.category)}" x="20" width="120" height="120" fill="{pack}" color="{label}" '
        f'stroke="{accent}"/></svg>'
    )


def _chroma(what: str, text: str, low: int, high: int) -> str:
    """A chroma from ``low`` to ``high`` hundredths."""
    return f"{(low + _draw(what, text) % (high - low + 1)) / 100:.2f}"


def _draw(what: str, text: str) -> int:
    """The same number for the same text, on every machine."""
    return int.from_bytes(hashlib.blake2b(f"{what}:{text}".encode(), digest_size=4).digest(), "big")
