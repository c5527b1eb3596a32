"""The elements of R4 as the structs have them: what search expressions that are posted are resolved against."""

from __future__ import annotations

from collections.abc import Sequence

from yersin.fhir.expressions import Schema
from yersin.fhir.parameters import implied_system
from yersin.fhir.primitives import __all__ as primitive_names
from yersin.fhir.shapes import shape, struct_of


class _Structs(Schema):
    """The elements of R4 as the structs have them."""

    def children(self, type_name: str, name: str) -> Sequence[tuple[str, str, bool, str]]:
        """Give (JSON name, type, repeats, implied system) of an element; none of a primitive, which has no struct."""
        if type_name in _PRIMITIVES:
            return ()
        found = [e for e in shape(struct_of(type_name)).values() if e.path == name and not e.name.startswith("_")]
        return [(e.name, _written(e.type), e.many, implied_system(type_name, e.name)) for e in found]


_PRIMITIVES = frozenset(name[0].lower() + name[1:] for name in primitive_names)
STRUCTS = _Structs()


def _written(name: str) -> str:
    return name[0].lower() + name[1:] if name in primitive_names else name
