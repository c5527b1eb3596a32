"""What the terminology service can do, made from what is there. Source: https://hl7.org/fhir/R4/terminologycapabilities.html"""

from __future__ import annotations

from yersin.api.messages import Request, Response
from yersin.api.release import RELEASED
from yersin.terminology import intake

from .asking import answered
from .value_sets import OPERATIONS

_SYSTEMS = """
SELECT url, array_agg(DISTINCT version ORDER BY version) AS versions FROM terms.system WHERE url <> '' GROUP BY url ORDER BY url
"""
_FILTER = (
    "Every word of the filter begins a word of a code, a display or a designation; accents, case and order make no "
    "difference. Up to 5,000 matches are ranked: the code itself, then names that begin as typed, the shortest first."
)


async def capabilities(request: Request) -> Response:
    """GET [base]/metadata?mode=terminology. Source: https://hl7.org/fhir/R4/terminologycapabilities.html"""
    database = request.access.ground.database
    await intake.take_in(database)
    rows = await database.fetch(_SYSTEMS)
    expand = next(operation for operation in OPERATIONS if operation.name == "expand")
    systems = [
        {
            "uri": row["url"],
            **({"version": [{"code": v} for v in row["versions"] if v]} if any(row["versions"]) else {}),
        }
        for row in rows
    ]
    return answered({
        "resourceType": "TerminologyCapabilities",
        "url": f"{request.base}/metadata?mode=terminology",
        "name": "YersinTerminology",
        "status": "active",
        "date": RELEASED,
        "kind": "instance",
        "implementation": {"description": "Yersin terminology service", "url": request.base},
        "codeSystem": systems,
        "expansion": {
            "hierarchical": True,
            "paging": True,
            "incomplete": False,
            "parameter": [{"name": name} for name in sorted(each.name for each in expand.inputs)],
            "textFilter": _FILTER,
        },
        "codeSearch": "all",
        "validateCode": {"translations": True},
        "translation": {"needsMap": False},
        "closure": {"translation": False},
    })  # fmt: skip
