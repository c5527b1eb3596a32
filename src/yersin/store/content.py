"""Resource content at rest: the JSON after `"meta":{`, compressed.

What the server owns (`id`, `meta.versionId`, `meta.lastUpdated`) is never in the stored bytes; `Version.json` joins it
back, so serving a resource is joining bytes. `enc` says how the bytes are packed and never changes its meaning.
"""

from __future__ import annotations

import threading
from importlib import resources

import zstandard

from yersin.fhir import encode, r4

#: how content is packed: as it is, zstd alone, zstd with the dictionary that ships under this number
PLAIN, ZSTD, ZSTD_DICTIONARY_1 = 0, 1, 2
_LEVEL = 3
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


def pack(tail: bytes) -> tuple[int, bytes]:
    """Pack content for storage; returns (enc, bytes)."""
    return ZSTD_DICTIONARY_1, _packer().compress(tail)


def unpack(enc: int, packed: bytes) -> bytes:
    """Unpack stored content. Raises ValueError when `enc` is unknown (written by a later release)."""
    if enc == PLAIN:
        return packed
    if enc in (ZSTD, ZSTD_DICTIONARY_1):
        return _unpacker(enc).decompress(packed)
    raise ValueError(f"content is packed in a way this release does not know (enc {enc})")


def body(enc: int, packed: bytes) -> bytes:
    """Resource as JSON without what the server owns, for those who need neither its id nor its version."""
    return b'{"meta":{' + unpack(enc, packed)


def _packer() -> zstandard.ZstdCompressor:
    # compressors are not safe to share between threads
    packer: zstandard.ZstdCompressor | None = getattr(_local, "packer", None)
    if packer is None:
        packer = _local.packer = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=_dictionary(), write_checksum=False, write_dict_id=False
        )
    return packer


def _unpacker(enc: int) -> zstandard.ZstdDecompressor:
    unpackers: dict[int, zstandard.ZstdDecompressor] | None = getattr(_local, "unpackers", None)
    if unpackers is None:
        unpackers = _local.unpackers = {
            ZSTD: zstandard.ZstdDecompressor(),
            ZSTD_DICTIONARY_1: zstandard.ZstdDecompressor(dict_data=_dictionary()),
        }
    return unpackers[enc]


def _dictionary() -> zstandard.ZstdCompressionDict:
    data = resources.files(__package__).joinpath("dictionary-1.zdict").read_bytes()
    dictionary = zstandard.ZstdCompressionDict(data)
    dictionary.precompute_compress(level=_LEVEL)
    return dictionary
