"""The 54 peoples of Vietnam with their official codes. Source: Decision 121-TCTK/PPCĐ of 1979 and its later spellings."""

from __future__ import annotations

from collections.abc import Mapping

_NAMES = (
    "Kinh, Tày, Thái, Hoa, Khơ-me, Mường, Nùng, Mông, Dao, Gia-rai, Ngái, Ê-đê, Ba-na, Xơ-đăng, Sán Chay, Cơ-ho, Chăm, "
    "Sán Dìu, Hrê, Mnông, Ra-glai, Xtiêng, Bru-Vân Kiều, Thổ, Giáy, Cơ-tu, Giẻ-Triêng, Mạ, Khơ-mú, Co, Ta-ôi, Chơ-ro, "
    "Kháng, Xinh-mun, Hà Nhì, Chu-ru, Lào, La Chí, La Ha, Phù Lá, La Hủ, Lự, Lô Lô, Chứt, Mảng, Pà Thẻn, Cơ Lao, Cống, "
    "Bố Y, Si La, Pu Péo, Brâu, Ơ-đu, Rơ-măm"
)
PEOPLES: Mapping[str, str] = {f"{n:02d}": name for n, name in enumerate(_NAMES.split(", "), 1)} | {
    "55": "Người nước ngoài"
}
