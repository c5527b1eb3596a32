"""How two codes of one system stand to each other. Source: https://hl7.org/fhir/R4/codesystem-operation-subsumes.html"""

from __future__ import annotations

from yersin.fhir.problem import problem

from .finding import Finder, System, unknown_system

_ABOVE = """
SELECT a.id AS a, b.id AS b, a.id = ANY(b.ancestors) AS a_above, b.id = ANY(a.ancestors) AS b_above
FROM (SELECT $1::int AS system) s LEFT JOIN terms.concept a ON a.system = s.system AND a.key = $2
LEFT JOIN terms.concept b ON b.system = s.system AND b.key = $3
"""


async def subsumes(finder: Finder, url: str, version: str, code_a: str, code_b: str) -> str:
    """Say whether A is B, is above B, is below B, or is none of that. Raises Problem (not-found) for a code or a system not here."""
    system = await finder.system(url, version)
    if system is None:
        raise unknown_system(url, version)
    row = await finder.connection.fetchrow(_ABOVE, system.id, system.key(code_a), system.key(code_b))
    for name, code, found in (("codeA", code_a, row["a"]), ("codeB", code_b, row["b"])):
        if found is None:
            raise unknown_code(system, code, name)
    if row["a"] == row["b"]:
        return "equivalent"
    return "subsumes" if row["a_above"] else "subsumed-by" if row["b_above"] else "not-subsumed"


def unknown_code(system: System, code: str, place: str = "code") -> Exception:
    """Say that a code is none of a system's."""
    return problem("not-found", f"The code {code!r} is not in {system.url}.", expression=place, status=404)
