"""Resource content at rest: the JSON after `"meta":{`, compressed.

What the server owns (`id`, `meta.versionId`, `meta.lastUpdated`) is never in the stored bytes; `Version.json` joins it
back, so serving a resource is joining bytes. `enc` says how the bytes are packed and never changes its meaning.
"""

from __future__ import annotations

import threading
from importlib import resources

import zstandard

from yersin.fhir import encode, r4

#: how content is packed: as it is, zstd alone, zstd with a dictionary that ships with the release
PLAIN, ZSTD, ZSTD_DICTIONARY_1, ZSTD_DICTIONARY_2 = 0, 1, 2, 3
_DICTIONARIES = {ZSTD_DICTIONARY_1: "dictionary-1.zdict", ZSTD_DICTIONARY_2: "dictionary-2.zdict"}
_LEVEL = 3
#: how a database's content is written: as the release before can read it too, for that one may still serve beside this one
DDL = f"""
CREATE TABLE packing (enc smallint NOT NULL);
COMMENT ON TABLE packing IS 'How content is packed when it is written (store/content.py): one row.';
INSERT INTO packing SELECT CASE WHEN EXISTS (SELECT FROM id_map) THEN {ZSTD_DICTIONARY_1} ELSE {ZSTD_DICTIONARY_2} END;
"""
_local = threading.local()


def tail_of(resource: r4.Resource) -> bytes:
    """Return the JSON of a resource after the opening of its `meta`, without what the server owns.

    The resource's `id`, `meta.versionId` and `meta.lastUpdated` are cleared on the way.
    """
    resource.id = None
    meta = resource.meta
    if meta is None:
        resource.meta = r4.Meta()
    else:
        meta.versionId = meta.lastUpdated = None
    raw = encode(resource)
    return raw[raw.index(b'"meta":{') + 8 :]


def pack(tail: bytes, enc: int) -> bytes:
    """Pack content for storage in one of the ways with a dictionary, the one that the database's `packing` names."""
    return _packer(enc).compress(tail)


def unpack(enc: int, packed: bytes) -> bytes:
    """Unpack stored content. Raises ValueError when `enc` is unknown (written by a later release)."""
    if enc == PLAIN:
        return packed
    if enc == ZSTD or enc in _DICTIONARIES:
        return _unpacker(enc).decompress(packed)
    raise ValueError(f"content is packed in a way this release does not know (enc {enc})")


def body(enc: int, packed: bytes) -> bytes:
    """Resource as JSON without what the server owns, for those who need neither its id nor its version."""
    return b'{"meta":{' + unpack(enc, packed)


def _packer(enc: int) -> zstandard.ZstdCompressor:
    # compressors are not safe to share between threads
    packers: dict[int, zstandard.ZstdCompressor] | None = getattr(_local, "packers", None)
    if packers is None:
        packers = _local.packers = {}
    if enc not in packers:
        packers[enc] = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=_dictionary(enc), write_checksum=False, write_dict_id=False
        )
    return packers[enc]


def _unpacker(enc: int) -> zstandard.ZstdDecompressor:
    unpackers: dict[int, zstandard.ZstdDecompressor] | None = getattr(_local, "unpackers", None)
    if unpackers is None:
        unpackers = _local.unpackers = {
            ZSTD: zstandard.ZstdDecompressor(),
            **{one: zstandard.ZstdDecompressor(dict_data=_dictionary(one)) for one in _DICTIONARIES},
        }
    return unpackers[enc]


def _dictionary(enc: int) -> zstandard.ZstdCompressionDict:
    data = resources.files(__package__).joinpath(_DICTIONARIES[enc]).read_bytes()
    dictionary = zstandard.ZstdCompressionDict(data)
    dictionary.precompute_compress(level=_LEVEL)
    return dictionary
