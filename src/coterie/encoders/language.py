"""Whether a text is in English, as far as its letters and its commonest words tell."""

from __future__ import annotations

import re
import unicodedata

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

_WORDS = re.compile(r"[^\W\d_]+")
# characters of a text that are looked at
_MOST = 4000
# so many of the commonest words of other languages, and more of them than of English ones, tell another one
ENOUGH = 2
# of German, French, Spanish, Italian, Portuguese, Dutch, Scandinavian languages and Polish
_COMMON_ELSEWHERE = """
der das und nicht ist sind von wird auch für mit sich les des une est dans que qui pour sur avec pas sont
los las una por para del pero como más della che non sono anche gli nel il não uma com mais foi são
het een van niet zijn voor wordt och att som det ikke jeg og är på af nie jest się na że
"""
_OF_OTHERS = frozenset(_COMMON_ELSEWHERE.split())


def seems_english(text: str) -> bool:
    """False where most letters are not Latin, or common words of other European languages prevail.

    Examples
    --------
    >>> seems_english("The price of oil fell"), seems_english("Shr 12 cts vs 9, net 1.2 mln")
    (True, True)
    >>> seems_english("нефть снова подешевела")
    False
    >>> seems_english("Der Preis von Rohöl ist heute gefallen, obwohl die Lager leer sind")
    False
    """
    words = _WORDS.findall(text.lower()[:_MOST])
    letters = "".join(words)
    latin = sum(letter < "\x80" or unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    if latin < len(letters) / 2:
        return False
    others = sum(word in _OF_OTHERS for word in words)
    # words of one or two letters are words of many languages
    english = sum(len(word) > 2 and word in ENGLISH_STOP_WORDS for word in words)
    return others < ENOUGH or english >= others
