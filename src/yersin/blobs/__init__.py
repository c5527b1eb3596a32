"""Content-addressed encrypted files: what is too large for a row. See `blob` for the interface, `sealing` for the format."""

from __future__ import annotations

from yersin.blobs.blob import Blob, Blobs, Sealer
from yersin.blobs.folder import FolderBlobs
from yersin.blobs.limits import BlobLimits
from yersin.blobs.uploads import Upload, Uploads

__all__ = ["Blob", "BlobLimits", "Blobs", "FolderBlobs", "Sealer", "Upload", "Uploads"]
