"""Official lists: read from the files as they are given out, versions side by side, and what is no such file is refused."""

from __future__ import annotations

import zipfile
from datetime import date

import pytest

from yersin.terminology import icd9cm, icd10, intake, loinc, ucum_essence
from yersin.terminology.finding import Finder
from yersin.terminology.loaded import load

COLUMNS = (
    "LOINC_NUM,COMPONENT,PROPERTY,TIME_ASPCT,SYSTEM,SCALE_TYP,METHOD_TYP,CLASS,STATUS,LONG_COMMON_NAME,SHORTNAME,"
    "VersionLastChanged"
)
ROWS = (
    (
        '"2345-7","Glucose","MCnc","Pt","Ser/Plas","Qn","","CHEM","ACTIVE","Glucose [Mass/volume] in Serum or Plasma",'
        '"Glucose SerPl-mCnc","2.73"'
    ),
    '"1-8","Acyclovir","Susc","Pt","Isolate","OrdQn","MIC","ABXBACT","DEPRECATED","Acyclovir [Susceptibility]","","2.36"',
)
TREE = "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\n,1,,LP432695-7,{component}\nLP432695-7,1,LP432695-7,2345-7,Glucose\n"
UCUM = """<?xml version="1.0" encoding="UTF-8"?>
<root xmlns="http://unitsofmeasure.org/ucum-essence" version="2.2" revision-date="2024-06-17">
 <base-unit Code="m" CODE="M" dim="L"><name>meter</name><printSymbol>m</printSymbol><property>length</property></base-unit>
 <unit Code="L" CODE="L" isMetric="yes" class="iso1000"><name>liter</name><property>volume</property></unit>
</root>"""


class Sure:
    """A finder of what must be there."""

    def __init__(self, connection):
        self.finder = Finder(connection)

    async def system(self, *named):
        found = await self.finder.system(*named)
        assert found is not None
        return found

    async def concept(self, system, code):
        found = await self.finder.concept(system, code)
        assert found is not None
        return found

    async def codes(self, ids):
        return await self.finder.codes(ids)


def zipped(tmp_path, **parts):
    path = tmp_path / "Loinc_2.78.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def release(tmp_path):
    return zipped(
        tmp_path,
        **{
            "LoincTable/Loinc.csv": "\n".join([COLUMNS, *ROWS]),
            "AccessoryFiles/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv": TREE,
        },
    )


def concepts(loaded):
    return {c["code"]: c for c in loaded.system["concept"]}


def test_a_release_of_loinc_reads_with_its_hierarchy(release):
    found = loinc.read(release)
    assert (found.source, found.system["version"]) == ("file:loinc:2.78", "2.78")
    listed = concepts(found)
    assert listed["2345-7"]["display"] == "Glucose [Mass/volume] in Serum or Plasma"
    assert {"code": "parent", "valueCode": "LP432695-7"} in listed["2345-7"]["property"]
    assert {"code": "inactive", "valueBoolean": True} in listed["1-8"]["property"]
    assert {"code": "notSelectable", "valueBoolean": True} in listed["LP432695-7"]["property"]
    assert "Regenstrief" in found.system["copyright"]


def test_the_table_of_loinc_alone_reads_too(tmp_path):
    path = tmp_path / "Loinc.csv"
    path.write_text("\ufeff" + "\n".join([COLUMNS, *ROWS]), encoding="utf-8")
    assert loinc.read(path).system["version"] == "2.73"


def test_other_files_are_no_loinc(tmp_path, shared):
    with pytest.raises(ValueError, match="no zip file; load Loinc"):
        loinc.read(_written(tmp_path, "a.zip", "nothing"))
    with pytest.raises(ValueError, match=r"holds no Loinc\.csv"):
        loinc.read(shared / "vietnam" / "code-lists" / "icd10-vn-qd4469.xlsx")
    with pytest.raises(ValueError, match="no column LOINC_NUM"):
        loinc.read(_written(tmp_path, "b.csv", "code,name\n1,x\n"))


def test_the_official_icd9cm_list_reads_whole(shared):
    found = icd9cm.read(shared / "vietnam" / "code-lists" / "icd9cm-vol3-qd4440.xlsx")
    listed = concepts(found)
    assert len(listed) > 1200
    assert listed["33.22"]["display"] == "Soi phế quản với ống soi mềm"
    assert found.dated == date(2020, 10, 27)
    (parent,) = [p["valueCode"] for p in listed["33.22"]["property"] if p["code"] == "parent"]
    assert parent in listed
    assert listed["30-34"]["display"].startswith("PHẪU THUẬT HỆ HÔ HẤP")


def test_other_files_are_no_icd9cm(tmp_path, shared):
    with pytest.raises(ValueError, match="4440"):
        icd9cm.read(shared / "vietnam" / "code-lists" / "icd10-vn-qd4469.xlsx")
    with pytest.raises(ValueError, match="not a workbook"):
        icd9cm.read(_written(tmp_path, "a.xlsx", "nothing"))


def test_units_of_ucum_read(tmp_path):
    found = ucum_essence.read(_written(tmp_path, "ucum-essence.xml", UCUM))
    assert [(c["code"], c["display"]) for c in found.system["concept"]] == [("m", "meter"), ("L", "liter")]
    assert (found.system["version"], found.dated) == ("2.2", date(2024, 6, 17))


@pytest.mark.parametrize(
    "text", ["nothing", "<a/>", "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"]
)
def test_other_files_are_no_ucum(tmp_path, text):
    with pytest.raises(ValueError, match=r"ucum-essence\.xml as ucum"):
        ucum_essence.read(_written(tmp_path, "other.xml", text))


def _written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_versions_stay_side_by_side_and_the_same_one_replaces_itself(run, ground, tmp_path, release):
    older = tmp_path / "Loinc.csv"
    older.write_text("\n".join([COLUMNS, ROWS[0]]), encoding="utf-8")

    async def work():
        async with ground.database.acquire() as connection:
            assert await load(connection, older, loinc.read) == (1, "2.73")
            assert await load(connection, release, loinc.read) == (3, "2.78")
            assert await load(connection, release, loinc.read) == (3, "2.78")
        async with ground.database.searching() as connection:
            at = Sure(connection)
            newest, named = await at.system(loinc.SYSTEM), await at.system(loinc.SYSTEM, "2.73")
            assert (newest.version, newest.concepts, named.concepts) == ("2.78", 3, 1)
            glucose = await at.concept(newest, "2345-7")
            assert await at.codes(glucose.parents) == [("LP432695-7", "{component}")]

    run(work())


def test_the_ministrys_icd10_stands_in_the_pickers_table_and_among_the_concepts(run, ground, shared):
    path = shared / "vietnam" / "code-lists" / "icd10-vn-qd4469.xlsx"

    async def work():
        async with ground.database.acquire() as connection:
            codes = await icd10.load(connection, path)
            found = await icd10.search(connection, "benh ta")
            at = Sure(connection)
            system = await at.system(icd10.SYSTEM)
            cholera = await at.concept(system, "a00.0")
            above = await connection.fetch(
                "SELECT code, abstract FROM terms.concept WHERE id = ANY (SELECT unnest(ancestors) FROM terms.concept WHERE id = $1)",
                cholera.id,
            )
        assert codes > 12_000
        assert found[0].code == "A00"
        assert system.version == "4469/QĐ-BYT"
        assert system.concepts > codes  # chapters and groups too
        assert {(row["code"], row["abstract"]) for row in above} == {
            ("A00", False),
            ("A00-A09", True),
            ("A00-B99", True),
        }
        assert cholera.designations[0]["value"] == "Bệnh tả do Vibrio cholerae 01, typ sinh học cholerae"

    run(work())


def test_a_list_that_an_earlier_release_loaded_is_taken_in(run, ground):
    async def work():
        async with ground.database.acquire() as connection:
            await intake.forget(connection, "file:icd10:4469/QĐ-BYT")
            await connection.execute("DELETE FROM icd10")
            assert await icd10.load_package(connection, {"A00": "Bệnh tả"}) > 10_000
            await intake.forget(connection, "file:icd10:2019")
        assert await icd10.ensure(ground.database) is True
        assert await icd10.ensure(ground.database) is False
        async with ground.database.searching() as connection:
            at = Sure(connection)
            assert (await at.concept(await at.system(icd10.SYSTEM), "A00.0")).display.startswith(
                "Cholera due to Vibrio"
            )

    run(work())
