"""The audit is sealed: whatever is changed, removed or put in afterwards is named. Source: docs/adr/0007-audit.md"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.app.test_command import ran
from tests.running import Client

from yersin.app.telling import of_proof
from yersin.db import Connection
from yersin.guard import proving, sealing
from yersin.guard.access import Ground
from yersin.guard.proving import Break, Proof


@pytest.fixture(scope="module")
def sealed(run: Any, client: Client, ground: Ground) -> list[int]:
    """Numbers of the sealed rows in their order, of several blocks: all that were written so far."""
    for n in range(12):
        client.post("/Patient", {"resourceType": "Patient", "name": [{"text": f"Thử {n}"}]})
    rows = [r["seq"] for r in run(ground.database.fetch("SELECT seq FROM audit ORDER BY tx, seq"))]
    written = max(rows)
    end = time.monotonic() + 120
    while run(_sealed(ground, 5)) or run(_last(ground)) < written:
        assert time.monotonic() < end, "the rows were not sealed"
    return [seq for seq in rows if seq <= written]


async def _last(ground: Ground) -> int:
    """Return the highest number of a sealed row; transactions of others, which the whole server shares, hold it back for a while."""
    seq = await ground.database.fetchval(
        "SELECT max(a.seq) FROM audit a, (SELECT tx, seq FROM audit_seal ORDER BY number DESC LIMIT 1) l "
        "WHERE (a.tx, a.seq) <= (l.tx, l.seq)"
    )
    return seq or 0


async def _sealed(ground: Ground, limit: int) -> int:
    async with ground.database.transaction() as connection:
        return await sealing.seal(connection, ground.keys, limit)


class UndoneError(Exception):
    """Ends a transaction that must not be kept."""


def tampered(run: Any, ground: Ground, *statements: str, heads: Sequence[sealing.Head] = ()) -> Proof:
    """Return what is found after some statements, which are undone again."""

    async def tamper(connection: Connection) -> None:
        for statement in statements:
            await connection.execute(statement)

    proof: Proof = run(_proved_after(ground, tamper, heads))
    return proof


async def _proved_after(
    ground: Ground, tamper: Callable[[Connection], Awaitable[None]], heads: Sequence[sealing.Head] = ()
) -> Proof:
    found: list[Proof] = []
    with suppress(UndoneError):
        async with ground.database.transaction() as connection:
            await tamper(connection)
            public = sealing.private_key(ground.keys).public_key()
            found.append(await proving.prove(connection, public, heads, lambda _rows: None))
            _undo()
    return found[0]


def _undo() -> None:
    raise UndoneError


def test_what_was_sealed_is_proved_row_for_row(run: Any, ground: Ground, sealed: list[int]) -> None:
    proof = tampered(run, ground)
    assert proof.first_break is None
    assert proof.rows == len(sealed) >= 12
    assert proof.blocks >= len(sealed) / 5


@pytest.mark.parametrize("place", [0, 1, 5, -2, -1])
@pytest.mark.parametrize(
    "change",
    [
        "display = 'Somebody else'", "outcome = 4", "at = at + interval '1 microsecond'", "patients = '{}'::uuid[] || gen_random_uuid()",
        "query = 'name=Lan'", "account = gen_random_uuid()", "purpose = purpose || '!'", "ver = coalesce(ver, 0) + 1",
    ],
)  # fmt: skip
def test_a_changed_row_is_named(run: Any, ground: Ground, sealed: list[int], place: int, change: str) -> None:
    seq = sealed[place]
    found = tampered(run, ground, f"UPDATE audit SET {change} WHERE seq = {seq}").first_break
    assert found is not None
    assert (found.kind, found.seq) == ("changed", seq)


@pytest.mark.parametrize("place", [1, 4, 5, 6, -1])
def test_a_removed_row_is_named_by_the_one_before_it(run: Any, ground: Ground, sealed: list[int], place: int) -> None:
    found = tampered(run, ground, f"DELETE FROM audit WHERE seq = {sealed[place]}").first_break
    assert found is not None
    assert (found.kind, found.seq) == ("removed", sealed[place - 1])


@pytest.mark.parametrize("place", [0, 3, 5, -2])
def test_a_row_put_in_is_named(run: Any, ground: Ground, sealed: list[int], place: int) -> None:
    names = f"tx, at, {sealing.CONTENTS}"
    put_in = f"INSERT INTO audit ({names}) SELECT {names} FROM audit WHERE seq = {sealed[place]}"
    found = tampered(run, ground, put_in).first_break
    assert found is not None
    assert found.kind == "inserted"
    assert found.seq > max(sealed)


def test_a_chain_that_was_altered_is_broken(run: Any, ground: Ground, sealed: list[int]) -> None:
    del sealed
    removed = tampered(run, ground, "DELETE FROM audit_seal WHERE number = 2").first_break
    altered = tampered(run, ground, "UPDATE audit_seal SET marks = marks || marks WHERE number = 2").first_break
    later = tampered(run, ground, "UPDATE audit_seal SET at = at + interval '1 day' WHERE number = 2").first_break
    assert removed == altered == later == Break(kind="chain", number=2)


def test_rows_that_are_not_sealed_are_counted_and_missed_after_an_hour(
    run: Any, ground: Ground, sealed: list[int]
) -> None:
    cut = "DELETE FROM audit_seal WHERE number > 1"
    found = tampered(run, ground, cut)
    assert found.first_break is None
    assert found.waiting >= len(sealed) - found.rows > 0
    old = f"UPDATE audit SET at = at - interval '2 hours' WHERE seq = {sealed[-1]}"
    assert tampered(run, ground, cut, old).first_break == Break(kind="unsealed", number=1, seq=sealed[-1])
    assert tampered(run, ground, "DELETE FROM audit_seal", old).first_break is not None


def test_nobody_without_the_key_seals_anew(run: Any, ground: Ground, sealed: list[int]) -> None:
    """The strongest attacker but for the key: rewrites a row, and the marks and hashes of its block and all after it."""
    strange = Ed25519PrivateKey.generate()

    async def forge(connection: Connection) -> None:
        await connection.execute(f"UPDATE audit SET display = 'X' WHERE seq = {sealed[6]}")
        before = sealing.START
        for row in await connection.fetch(f"{sealing.BLOCKS} ORDER BY number"):
            block = sealing.Block(**row)
            rows = await connection.fetch(
                f"SELECT {sealing.COLUMNS} FROM audit WHERE (tx, seq) > ($1::text::xid8, $2) AND (tx, seq) <= ($3::text::xid8, $4) "
                "ORDER BY audit.tx, seq", str(before.tx), before.seq, str(block.tx), block.seq,
            )  # fmt: skip
            marks = b"".join(map(sealing.mark, rows))
            hash_ = sealing.chained(before.hash, replace(block, marks=marks))
            if hash_ != block.hash:
                signature = strange.sign(sealing.signed(hash_))
                await connection.execute(
                    "UPDATE audit_seal SET marks = $2, hash = $3, signature = $4 WHERE number = $1",
                    block.number, marks, hash_, signature,
                )  # fmt: skip
            before = replace(block, hash=hash_)

    found = run(_proved_after(ground, forge))
    assert found.first_break is not None
    assert (found.first_break.kind, found.first_break.number) == ("signature", 2)


def test_blocks_cut_off_at_the_end_are_missed_by_the_head_that_was_copied_out(
    run: Any, ground: Ground, sealed: list[int], tmp_path: Path
) -> None:
    async def head() -> sealing.Head | None:
        async with ground.database.acquire() as connection:
            return await sealing.newest(connection)

    last = run(head())
    public = sealing.private_key(ground.keys).public_key()
    assert sealing.copy_out(tmp_path, last, public)
    assert not sealing.copy_out(tmp_path, last, public), "it is there already"
    heads = sealing.copied(tmp_path)
    assert heads == [last]
    assert tampered(run, ground, heads=heads).first_break is None
    cut = f"DELETE FROM audit_seal WHERE number = {last.number}"
    assert tampered(run, ground, cut, heads=heads).first_break == Break(kind="head", number=last.number)
    gone = f"DELETE FROM audit WHERE seq = {sealed[-1]}"
    assert tampered(run, ground, cut, gone, heads=heads).first_break == Break(kind="head", number=last.number)


def test_a_head_cut_off_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "heads-2026-01.ndjson").write_bytes(
        b'{"number":1,"at":"2026-01-01T00:00:00Z","hash":"00","signature":"00"}\n{"numb'
    )
    assert [head.number for head in sealing.copied(tmp_path)] == [1]


@pytest.mark.parametrize("kind", ["changed", "inserted", "removed", "chain", "signature", "head", "unsealed"])
def test_what_is_broken_is_told_in_both_languages(kind: str) -> None:
    vi, en = of_proof(Proof(rows=0, blocks=0, first_break=Break(kind=kind, number=7, seq=1234)), 0)
    assert vi.startswith("NHẬT KÝ KHÔNG NGUYÊN VẸN")
    assert en.startswith("THE AUDIT IS NOT WHOLE")
    assert "7" in en


def test_the_command_proves_the_audit_and_fails_when_a_row_was_changed(
    run: Any, ground: Ground, sealed: list[int], database_url: str, keys_dir: Path, tmp_path: Path
) -> None:
    environment = {"YERSIN_DATABASE_URL": database_url, "YERSIN_DATA_DIR": str(keys_dir)}
    asked = ("verify-audit", "--heads", str(tmp_path))
    whole = ran(environment, *asked)
    assert (whole.returncode, "The audit is whole" in whole.stdout) == (0, True), whole.stderr
    run(ground.database.execute(f"UPDATE audit SET display = display || '!' WHERE seq = {sealed[7]}"))
    broken = ran(environment, *asked)
    run(ground.database.execute(f"UPDATE audit SET display = left(display, -1) WHERE seq = {sealed[7]}"))
    assert broken.returncode == 1
    assert f"Row {sealed[7]:,} was changed" in broken.stdout


def test_a_mark_holds_every_column_of_the_audit(run: Any, ground: Ground) -> None:
    columns = run(ground.database.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'audit'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    ))  # fmt: skip
    assert ["seq", "tx", "at", *sealing.CONTENTS.split(", ")] == [c["attname"] for c in columns]
