"""Whether a text is in English, as far as its letters and its commonest words tell."""

from __future__ import annotations

import re
import unicodedata

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

# an English text of so many words has one of the commonest words among them
ENOUGH_WORDS = 12
_WORDS = re.compile(r"[^\W\d_]+")


def seems_english(text: str) -> bool:
    """False where most letters are not Latin, or where a longer text has none of English's commonest words.

    Examples
    --------
    >>> seems_english("The price of oil fell again today")
    True
    >>> seems_english("нефть снова подешевела")
    False
    >>> seems_english("Der Preis von Rohöl ist heute wieder gefallen, obwohl die Lager leerer sind als sonst")
    False
    """
    words = _WORDS.findall(text.lower()[:4000])
    letters = "".join(words)
    if not letters:
        return True
    latin = sum(letter < "\x80" or unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    if latin < len(letters) / 2:
        return False
    # words of one or two letters are words of many languages
    common = sum(len(word) > 2 and word in ENGLISH_STOP_WORDS for word in words)
    return len(words) < ENOUGH_WORDS or common >= len(words) / 25
