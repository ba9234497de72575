"""Readable names of categories and brands. A log often has them in capitals, cut short, or as bare codes."""

from __future__ import annotations

import re

SHORT = {
    "frzn": "frozen",
    "refrgratd": "refrigerated",
    "refrg": "refrigerated",
    "tiss": "tissue",
    "dnr": "dinner",
    "sply": "supply",
    "prep": "prepared",
    "prod": "products",
    "veg": "vegetables",
    "pnt": "peanut",
    "btr": "butter",
    "pwdr": "powder",
    "crtn": "carton",
    "spcl": "special",
}


def readable(name: str) -> str:
    """``FRZN MEAT/MEAT DINNERS`` -> ``Frozen meat / meat dinners``; a bare number or code stays as it is."""
    spaced = re.sub(r"\s*/\s*", " / ", name.replace("_", " ").strip())
    if not spaced:
        return name
    if re.search(r"[a-z]", spaced) or not re.search(r"[A-Z]{3}", spaced):
        return spaced[0].upper() + spaced[1:]
    words = re.sub(r"[A-Z]+", lambda found: SHORT.get(found[0].lower(), found[0].lower()), spaced)
    return words[0].upper() + words[1:]


def category_name(category_id: str | None) -> str:
    if category_id is None:
        return "Everything else"
    shown = readable(category_id)
    return shown if re.search(r"[A-Za-z]{3}", shown) else f"Category {shown}"


def brand_name(brand: str | None) -> str | None:
    if brand is None:
        return None
    shown = readable(brand)
    return shown if re.search(r"[A-Za-z]{3}", shown) else f"Brand {shown}"
