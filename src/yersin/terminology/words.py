"""Words of concepts, folded: what is typed in any order finds them."""

from __future__ import annotations

from yersin.fhir.folding import fold, words

__all__ = ["fold", "of_concept", "query", "words"]


def of_concept(code: str, names: list[str]) -> list[str]:
    """Give the words by which a concept is found: those of its names, of its code, and its code without points."""
    found = {word[:64] for name in names for word in words(name)}
    found.update(words(code), ["".join(words(code))] if words(code) else [])
    return sorted(found)


def query(typed: str) -> str:
    """Write what was typed as a text search: every word the beginning of a word, in any order; empty without words."""
    return " & ".join(f"'{word[:64]}':*" for word in words(typed)[:12])
