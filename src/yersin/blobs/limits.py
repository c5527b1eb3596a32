"""Limits of blobs and uploads, each with the reason for its default."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobLimits:
    """What an operator may choose about files."""

    #: largest file taken: a long ultrasound loop or a CT series in one file
    largest: int = 512 * MEGABYTE
    #: free space that an upload must leave, so that the database beside it can go on writing
    reserve: int = 256 * MEGABYTE
    #: smallest and largest piece a client may send at a time; small ones suit a line that is cut often
    smallest_piece: int = 64 << 10
    largest_piece: int = 4 * MEGABYTE
    #: an upload that has not moved for so long is forgotten
    patience: timedelta = timedelta(days=3)
    #: a file that nothing names is swept after this time
    unnamed: timedelta = timedelta(days=1)
    #: unfinished uploads one account may have open
    open_uploads: int = 50
