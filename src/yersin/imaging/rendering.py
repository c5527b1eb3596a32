"""A DICOM frame as an 8-bit PNG. Runs in the workshop, under its limits of time and memory.

Order of the steps: decode, modality LUT or rescale, VOI LUT or window, inversion, scale. Source: DICOM PS3.3 C.11.1
(modality LUT), C.11.2 (VOI LUT), C.7.6.3.1.2 (photometric interpretation), C.7.9 (palette).
"""

from __future__ import annotations

import io
import warnings
from typing import Any, Final

import msgspec
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from yersin.fhir.problem import Problem, problem
from yersin.imaging.dicom_files import BROKEN, unreadable
from yersin.imaging.dicom_values import number, text, value, whole
from yersin.imaging.results import Rendered, Window

_NO_DECODER: Final = ("missing dependencies", "does not support", "only supports")
_MONOCHROME: Final = ("MONOCHROME1", "MONOCHROME2")


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded frame: values after the modality step for grey, 8-bit RGB for colour."""

    values: Any
    data: Any
    grey: bool

    @property
    def weight(self) -> int:
        """Bytes held."""
        return int(self.values.nbytes)


def decode(raw: bytes) -> Decoded:
    """Decode a one-frame file. Raises Problem when it is damaged or no decoder for it is installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = pydicom.dcmread(io.BytesIO(raw), force=True)
            return _decoded(data)
        except (NotImplementedError, RuntimeError) as error:
            raise _undecodable(error, data.file_meta.TransferSyntaxUID) from error
        except BROKEN as error:
            raise unreadable(str(error)) from error


def _decoded(data: Dataset) -> Decoded:
    photometric = text(data, "PhotometricInterpretation")
    values = pixel_array(data)
    if photometric == "PALETTE COLOR":
        return Decoded(values=_eight_bits(apply_color_lut(values, data)), data=data, grey=False)
    if values.ndim == 3:
        return Decoded(values=_eight_bits(values, whole(data, "BitsStored", 8)), data=data, grey=False)
    if photometric not in _MONOCHROME:
        raise _unsupported(photometric or "?")
    return Decoded(values=np.asarray(apply_modality_lut(values, data)), data=data, grey=True)


def _eight_bits(values: Any, stored: int = 0) -> Any:
    bits = stored or values.dtype.itemsize * 8
    return values.astype(np.uint8) if bits <= 8 else (values >> (bits - 8)).astype(np.uint8)


def render(decoded: Decoded, window: Window | None, side: int | None) -> Rendered:
    """Draw a decoded frame, at most `side` pixels long where given."""
    if decoded.grey:
        shown, used = _grey(decoded, window)
    else:
        shown, used = decoded.values, None
    image = Image.fromarray(np.ascontiguousarray(shown))
    if side and max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    target = io.BytesIO()
    image.save(target, format="PNG", compress_level=1)
    return Rendered(png=target.getvalue(), width=decoded.values.shape[1], height=decoded.values.shape[0], window=used)


def _grey(decoded: Decoded, window: Window | None) -> tuple[Any, Window | None]:
    if window is None and value(decoded.data, "VOILUTSequence") is not None and decoded.values.dtype.kind in "iu":
        table = apply_voi_lut(decoded.values, decoded.data, prefer_lut=True)
        shown, used = _stretched(table, int(table.min()), int(table.max())), None
    else:
        used = window or _own_window(decoded)
        shown = _windowed(decoded, used)
    if _is_inverted(decoded.data):
        shown = 255 - shown
    return shown, used


def _is_inverted(data: Dataset) -> bool:
    shape = text(data, "PresentationLUTShape")
    return shape == "INVERSE" or (text(data, "PhotometricInterpretation") == "MONOCHROME1" and shape != "IDENTITY")


def _own_window(decoded: Decoded) -> Window:
    """The window the device chose, else one over what is there, padding left out."""
    center, width = number(decoded.data, "WindowCenter"), number(decoded.data, "WindowWidth")
    if center is not None and width is not None and width >= 1:
        return Window(center=float(center), width=float(width))
    values = decoded.values
    padding = value(decoded.data, "PixelPaddingValue")
    if isinstance(padding, int) and value(decoded.data, "RescaleSlope") is None:
        inside = values[values != padding]
        values = inside if inside.size else values
    low, high = float(values.min()), float(values.max())
    return Window(center=(low + high + 1) / 2, width=max(high - low + 1, 1.0))


def _windowed(decoded: Decoded, window: Window) -> Any:
    """Values through the window, by the function the file names (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""
    values = decoded.values.astype(np.float32)
    function = text(decoded.data, "VOILUTFunction")
    if function == "SIGMOID":
        return (255 / (1 + np.exp(-4 * (values - window.center) / max(window.width, 1e-6)))).astype(np.uint8)
    if function == "LINEAR_EXACT":
        return _stretched(values, window.center - window.width / 2, window.center + window.width / 2)
    half = (window.width - 1) / 2
    return _stretched(values, window.center - 0.5 - half, window.center - 0.5 + half)


def _stretched(values: Any, low: float, high: float) -> Any:
    scale = 255 / (high - low) if high > low else 255.0
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(scale)
    if high <= low:
        scaled = np.where(values > low, np.float32(255), np.float32(0))
    return np.clip(scaled + np.float32(0.5), 0, 255).astype(np.uint8)


def _undecodable(error: Exception, syntax: pydicom.uid.UID) -> Problem:
    # pydicom says by words only whether a decoder is missing or failed
    said = str(error)
    if isinstance(error, NotImplementedError) or any(phrase in said for phrase in _NO_DECODER):
        return _unsupported(syntax)
    return unreadable(f"{syntax.name}: {error}")


def _unsupported(syntax: str) -> Problem:
    name = getattr(syntax, "name", syntax)
    message = (
        f"Chưa xem được kiểu ảnh này trên trình duyệt ({name}); tệp vẫn được lưu nguyên vẹn và có thể tải về. / "
        f"This kind of image cannot be shown here ({name}); the file is kept whole and can be downloaded."
    )
    return problem("not-supported", message, status=422)
