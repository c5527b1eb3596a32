"""Rows a second of `$viewdefinition-export` over HTTP, from the kick-off until the last byte of the last file is here.

python bench/view_export.py [--rows 1000000]

The view of people is filled with invented rows; each kind of file is exported once, from PostgreSQL to the sealed file and
out again. The size beside it is that of the files as they come.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

import httpx

from running import Running, running
from yersin.db import connect, embedded
from yersin.settings import Settings

ROWS = """
INSERT INTO views.{table} (row_key, ver, n, birth_year, sex, deceased, province, commune, facility, invented, active)
SELECT gen_random_uuid(), 1, 0, 1930 + n % 95, (ARRAY['female', 'male'])[1 + n % 2], n % 50 = 0, lpad((n % 34)::text, 2, '0'),
  lpad((n % 3321)::text, 5, '0'), md5((n % 12000)::text)::uuid, false, true FROM generate_series(1, $1::int) AS n"""


async def fill(server: Running, rows: int) -> None:
    """Put invented people into the view, once it is there."""
    url = embedded.address(Settings(data_dir=server.data))
    assert url is not None
    database = await connect(url, max_size=1)
    built = "SELECT relation FROM views.built WHERE view = 'person' AND shown AND (SELECT bool_and(filled) FROM views.built)"
    try:
        while not (table := await database.fetchval(built)):  # noqa: ASYNC110 - the server makes it
            await asyncio.sleep(0.2)
        await database.execute(ROWS.format(table=table), rows)
        await database.execute(f"ANALYZE views.{table}")
    finally:
        await database.close()


def export(client: httpx.Client, kind: str) -> tuple[float, int]:
    """Export the people; returns seconds and bytes."""
    view = {"name": "viewReference", "valueReference": {"reference": "ViewDefinition/person"}}
    wish = [{"name": "view", "part": [view]}, {"name": "_format", "valueCode": kind}]
    begun = time.monotonic()
    body = json.dumps({"resourceType": "Parameters", "parameter": wish})
    answer = client.post("/fhir/$viewdefinition-export", content=body, headers={"prefer": "respond-async"})
    place = answer.headers["content-location"]
    while (answer := client.get(place)).status_code == 202:
        time.sleep(0.1)
    told = client.get(answer.headers["location"]).raise_for_status().json()["parameter"]
    outputs = [part["valueUri"] for each in told if each["name"] == "output" for part in each["part"][1:]]
    size = 0
    for address in outputs:
        with client.stream("GET", address, headers={"accept-encoding": "identity"}) as file:
            size += sum(len(piece) for piece in file.iter_raw())
    return time.monotonic() - begun, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    found = {}
    with running() as server:
        asyncio.run(fill(server, rows))
        headers = {"authorization": f"Bearer {server.token()}", "content-type": "application/fhir+json"}
        with httpx.Client(base_url=server.base, headers=headers, timeout=600) as client:
            for kind in ("parquet", "csv", "ndjson"):
                seconds, size = export(client, kind)
                found[kind] = {"rows_a_second": round(rows / seconds), "bytes_a_row": round(size / rows, 1)}
                print(f"{kind:8} {rows / seconds:>10,.0f} rows/s {size / rows:>8.1f} bytes a row")
    print(json.dumps({"rows": rows, "kinds": found}))


if __name__ == "__main__":
    main()
