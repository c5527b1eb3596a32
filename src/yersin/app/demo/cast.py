"""The fixed cast behind the demo logins: the same people with the same ids in every size and from every seed."""

from __future__ import annotations

from dataclasses import dataclass

from yersin.app.demo.chance import uid
from yersin.app.demo.names import Name, compose
from yersin.app.demo.places import HOME, HOME_PROVINCE

#: the household of the patient is the first of the home commune
PATIENT_KEY = f"person/{HOME}/0/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class CastMember:
    """Somebody a visitor can sign in as; the ids are of resources the generator makes."""

    login: str
    role: str  # health-worker | doctor | specialist | patient | analyst | administrator | facility-administrator
    name: Name
    title_vi: str
    title_en: str
    sex: str
    facility: str = ""  # key in facilities.network
    specialty: str = ""

    @property
    def practitioner_id(self) -> str | None:
        """Id of the Practitioner, for all but the patient."""
        return uid(f"practitioner/cast/{self.login}") if self.facility else None

    @property
    def practitioner_role_id(self) -> str | None:
        """Id of the PractitionerRole."""
        return uid(f"role/cast/{self.login}") if self.facility else None

    @property
    def organization_id(self) -> str | None:
        """Id of the Organization the role is at."""
        return uid(f"organization/{self.facility}") if self.facility else None

    @property
    def patient_id(self) -> str | None:
        """Id of the Patient, for the patient."""
        return None if self.facility else uid(PATIENT_KEY)


CAST: tuple[CastMember, ...] = (
    CastMember(login="tram", role="health-worker", name=compose("Lù", "Thị", "Mai"), sex="female",
               title_vi="Nhân viên trạm y tế xã", title_en="Commune health worker",
               facility=f"station/{HOME}", specialty="general"),
    CastMember(login="bstinh", role="doctor", name=compose("Nguyễn", "Văn", "Hải"), sex="male",
               title_vi="Bác sĩ bệnh viện tỉnh", title_en="Doctor at a provincial hospital",
               facility=f"provincial/{HOME_PROVINCE}", specialty="internal"),
    CastMember(login="chuyengia", role="specialist", name=compose("Trần", "Minh", "Đức"), sex="male",
               title_vi="Chuyên gia tim mạch, bệnh viện trung ương", title_en="Cardiologist at a central hospital",
               facility="central/0", specialty="cardiology"),
    CastMember(login="chuyengia2", role="specialist", name=compose("Lê", "Thu", "Hà"), sex="female",
               title_vi="Chuyên gia tim mạch, bệnh viện trung ương", title_en="Second cardiologist of the same pool",
               facility="central/0", specialty="cardiology"),
    CastMember(login="benhnhan", role="patient", name=compose("Hoàng", "Văn", "Sơn"), sex="male",
               title_vi="Người bệnh", title_en="Patient"),
    CastMember(login="boyte", role="analyst", name=compose("Phạm", "Quỳnh", "Anh"), sex="female",
               title_vi="Chuyên viên phân tích, Bộ Y tế", title_en="Ministry analyst", facility="ministry"),
    CastMember(login="quantri", role="administrator", name=compose("Đỗ", "Quang", "Minh"), sex="male",
               title_vi="Quản trị hệ thống", title_en="Administrator", facility="ministry"),
    CastMember(login="quantribv", role="facility-administrator", name=compose("Vũ", "Thị", "Hạnh"), sex="female",
               title_vi="Quản trị cơ sở, bệnh viện trung ương", title_en="Facility administrator, central hospital",
               facility="central/0"),
)  # fmt: skip


def demo_people() -> tuple[CastMember, ...]:
    """List the cast."""
    return CAST
