"""Reports of several years, mails about them, minutes by date and manuals by version, published together: each is found."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from domain_sdk import Mesh
from tests.document_files import pdf_file
from tests.integration.test_documents_published import CONTRACT
from tests.servers import RunningServer

TITLED = CONTRACT.replace("      - {name: text,", "      - {name: title, logicalType: string}\n      - {name: text,")
COMPANIES = ("Northwind Traders, Inc", "Castellan Foods AG", "Fabrikam Optics Ltd")
DAYS = ("2031-04-07", "2031-05-05", "2031-06-02", "2031-07-07")
VERSIONS = ("1.9", "2.0", "2.1", "2.2", "3.0")


def report(folder: Path, company: str, year: int) -> None:
    cover = [("FORM 10-K", 14), (f"For the fiscal year ended June 30, {year}", 10), (company, 12)]
    cover.append(("(Exact name of registrant as specified in its charter)", 9))
    sales = f"Net sales were {year % 7 + len(company)} million dollars. Inventories are stated at the lower of cost and value."
    people = f"We employ {year} people. Our inventory provision is reviewed every year with the auditor."
    file = f"{company.split()[0].lower()}-{year}.pdf"
    pdf_file(folder / file, [cover, [("Net sales", 14), (sales, 10)], [("Employees", 14), (people, 10)]])


def mail(folder: Path) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ines@example.com", "tom@example.com", "Castellan: inventory provision"
    message.set_content("Tom,\n\nCastellan moved the inventory provision because the warehouse in Tulsa was closed and sold.\n")
    (folder / "mail-17.eml").write_bytes(bytes(message))


def papers(folder: Path) -> None:
    for number, day in enumerate(DAYS, start=3):
        said = f"WEBVTT\n\n00:00.000 --> 00:09.000\n<v Mara>We agree on a budget of {number} million for the migration.\n"
        (folder / f"steering-{day}.vtt").write_text(said)
    for number, version in enumerate(VERSIONS, start=3):
        page = f"<title>Pump v{version} Manual</title><h1>Pump v{version} Manual</h1><h2>Self-test</h2>"
        (folder / f"pump-v{version}.html").write_text(f"{page}<p>The self-test of the pump takes {number} seconds.</p>")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    root = tmp_path_factory.mktemp("desk")
    folders = [root / "reports", root / "papers"]
    for folder in folders:
        folder.mkdir()
    for company in COMPANIES:
        for year in (2030, 2031):
            report(folders[0], company, year)
    mail(folders[0])
    papers(folders[1])
    server = RunningServer(root / "mesh")
    try:
        with server.admin() as admin:
            admin.admin.create_domain("desk", owners=["user:olga"])
        with server.user("user:olga") as olga:
            for folder in folders:
                contract = TITLED.replace("policy.notes", f"desk.{folder.name}")
                olga.domain("desk").product(folder.name, contract=contract).publish(pages=folder, progress=False)
            yield olga
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("What were Northwind's net sales in fiscal 2030?", "northwind-2030.pdf"),
        ("What were North\u200bwind\u2019s net sales in FY\u00a02030?", "northwind-2030.pdf"),
        ("castellan foods employees 2030", "castellan-2030.pdf"),
        ("how many people did fabrikam employ in fy31?", "fabrikam-2031.pdf"),
        ("Why did Castellan move the inventory provision when its warehouse was closed and sold?", "mail-17.eml"),
    ],
)
def test_the_report_of_the_year_is_found_and_so_is_a_mail_about_the_company(desk: Mesh, question: str, document: str) -> None:
    assert desk.retrieve("desk.reports.pages", question)[0].document == document


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("Which budget was agreed on 2 June 2031?", "steering-2031-06-02.vtt"),
        ("budget of the migration, May 5, 2031", "steering-2031-05-05.vtt"),
        ("How long does the self-test of the pump v2.2 take?", "pump-v2.2.html"),
        ("self-test pump 3.0", "pump-v3.0.html"),
    ],
)
def test_the_paper_of_the_day_or_the_version_is_found(desk: Mesh, question: str, document: str) -> None:
    assert desk.retrieve("desk.papers.pages", question)[0].document == document


@pytest.mark.parametrize("question", ["What were Northwind's net sales in 2030?", "castellan provision", "?!", "7", '"', "🎉"])
def test_fewer_passages_are_the_first_of_more(desk: Mesh, question: str) -> None:
    most = [hit.id for hit in desk.retrieve("desk.reports.pages", question, limit=100)]
    assert len(set(most)) == len(most) > 10
    for limit in (1, 5, 10):
        assert [hit.id for hit in desk.retrieve("desk.reports.pages", question, limit=limit)] == most[:limit]
