"""Proves that the audit is as it was sealed, or names the first place where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from yersin.db import Connection

from .sealing import BLOCKS, COLUMNS, MARK, START, Block, Head, chained, mark, signed

#: rows and blocks that are looked at in one go
_ROWS, _BLOCKS = 50_000, 2000
_RANGE = f"""SELECT {COLUMNS} FROM audit WHERE tx >= $1::text::xid8 AND (tx, seq) > ($1::text::xid8, $2)
AND (tx, seq) <= ($3::text::xid8, $4) ORDER BY audit.tx, seq"""
#: rows behind the chain that wait longer than this are a sign that sealing stands still, or that blocks were cut off
_PATIENCE = "1 hour"
_WAITING = f"""SELECT count(*) AS rows, min(seq) FILTER (WHERE at < clock_timestamp() - interval '{_PATIENCE}') AS late
FROM audit WHERE tx >= $1::text::xid8 AND (tx, seq) > ($1::text::xid8, $2)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first place where the audit is not as it was sealed.

    `kind`: changed, inserted or removed (a row: `seq` is its number, of a removed one that of the row before it), or chain,
    signature, head (a block of this `number` was altered, is missing, or differs from the head that was copied out), or
    unsealed (the row `seq` has waited for its seal for more than an hour, after the block `number`).
    """

    kind: str
    number: int
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found: rows and blocks that are as they were sealed, and the first break, None where there is none.

    `waiting`: rows that are not sealed yet.
    """

    rows: int
    blocks: int
    waiting: int = 0
    first_break: Break | None = None


async def prove(
    connection: Connection, key: Ed25519PublicKey, heads: Sequence[Head], tell: Callable[[int], None]
) -> Proof:
    """Compare every sealed row with its mark and every block with its chain, signature and copied head.

    Rows that are not sealed yet are only counted. `tell` hears how many rows are proved.
    """
    known = {head.number: head.hash for head in heads}
    last, rows = START, 0
    while blocks := await _blocks(connection, last):
        broken = _chain(last, blocks, key, known)
        found = await _compare(connection, last, blocks if broken is None else _before(blocks, broken))
        if found is not None or broken is not None:
            return Proof(rows=rows, blocks=last.number, first_break=found or broken)
        last, rows = blocks[-1], rows + sum(b.rows for b in blocks)
        tell(rows)
    missing = next((number for number in known if number > last.number), None)
    waiting = await connection.fetchrow(_WAITING, str(last.tx), last.seq)
    broken = Break(kind="head", number=missing) if missing else None
    if broken is None and waiting["late"] is not None:
        broken = Break(kind="unsealed", number=last.number, seq=waiting["late"])
    return Proof(rows=rows, blocks=last.number, waiting=waiting["rows"], first_break=broken)


async def _blocks(connection: Connection, last: Block) -> list[Block]:
    found: list[Block] = []
    rows = 0
    for row in await connection.fetch(f"{BLOCKS} WHERE number > $1 ORDER BY number LIMIT {_BLOCKS}", last.number):
        found.append(Block(**row))
        rows += found[-1].rows
        if rows >= _ROWS:
            break
    return found


def _before(blocks: Sequence[Block], broken: Break) -> Sequence[Block]:
    return [b for b in blocks if b.number < broken.number]


def _chain(last: Block, blocks: Sequence[Block], key: Ed25519PublicKey, known: Mapping[int, str]) -> Break | None:
    """Judge the links. A signature proves all blocks before it, so that the newest of some is checked, and each only if that fails."""
    for before, block in pairwise((last, *blocks)):
        if block.number != before.number + 1 or not _follows(before, block):
            return Break(kind="chain", number=before.number + 1)
        if known.get(block.number, block.hash.hex()) != block.hash.hex():
            return Break(kind="head", number=block.number)
    if _is_signed(blocks[-1], key):
        return None
    return next(Break(kind="signature", number=b.number) for b in blocks if not _is_signed(b, key))


def _follows(before: Block, block: Block) -> bool:
    in_order = (block.tx, block.seq) > (before.tx, before.seq)
    return in_order and block.hash == chained(before.hash, block)


def _is_signed(block: Block, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(block.signature, signed(block.hash))
    except InvalidSignature:
        return False
    return True


async def _compare(connection: Connection, last: Block, blocks: Sequence[Block]) -> Break | None:
    """Compare the rows of some blocks with their marks."""
    if not blocks:
        return None
    rows = await connection.fetch(_RANGE, str(last.tx), last.seq, str(blocks[-1].tx), blocks[-1].seq)
    place = 0
    for block in blocks:
        begun = place
        while place < len(rows) and (rows[place]["tx"], rows[place]["seq"]) <= (block.tx, block.seq):
            place += 1
        before = rows[begun - 1]["seq"] if begun else last.seq
        broken = _first_difference(block, rows[begun:place], before)
        if broken is not None:
            return broken
    return None


def _first_difference(block: Block, rows: Sequence[Any], before: int) -> Break | None:
    """Say which row of a block is not as it was sealed; `before` is the number of the row in front of the block."""
    marks = [mark(row) for row in rows]
    if b"".join(marks) == block.marks:
        return None
    sealed = [block.marks[at : at + MARK] for at in range(0, len(block.marks), MARK)]
    same = next((n for n, (ours, theirs) in enumerate(zip(marks, sealed, strict=False)) if ours != theirs), None)
    at = min(len(marks), len(sealed)) if same is None else same
    front = rows[at - 1]["seq"] if at else before
    if at == len(marks) or marks[at] in sealed[at:]:
        return Break(kind="removed", number=block.number, seq=front)
    if at == len(sealed) or sealed[at] in marks[at:]:
        return Break(kind="inserted", number=block.number, seq=rows[at]["seq"])
    return Break(kind="changed", number=block.number, seq=rows[at]["seq"])
