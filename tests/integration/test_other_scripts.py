"""Documents in scripts without spaces, or with marks: found in their language, under filters, cited to the letter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain_sdk import Mesh
from tests.integration.test_documents_published import CONTRACT
from tests.servers import RunningServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PAGES = "policy.notes.pages"
FILES = {
    "退款.md": "# 退款\n\n员工可以在三十天内申请退款。\n",
    "午餐.md": "# 午餐\n\n午餐在中午供应，食堂在一楼。\n",
    "年假.md": "# 年假\n\n年假为二十天，须提前申请。\n",
    "返金.md": "# 返金\n\n返金は購入から三十日以内に申請できます。\n",
    "昼食.md": "# 昼食\n\n昼食は正午に提供されます。\n",
    "غداء.md": "# الغَداء\n\nيُقَدَّمُ الغَداءُ ظُهْراً في المَطْعَم.\n",
    "إجازة.md": "# الإجازة\n\nالإجازَةُ السَّنَوِيَّةُ عِشرونَ يَوْماً.\n",
    "חופשה.md": "# חֻפְשָׁה\n\nהַחֻפְשָׁה השנתית היא עשרים יום.\n",
    "english.md": "# Parking\n\nCars are parked behind the office.\n",
}
ASKED = {
    "退款需要几天？": "退款.md",
    "午餐什么时候供应": "午餐.md",
    "年假有多少天": "年假.md",
    "返金の期限はいつですか": "返金.md",
    "昼食はいつですか": "昼食.md",
    "متى يقدم الغداء": "غداء.md",
    "كم يوما الإجازة السنوية": "إجازة.md",
    "כמה ימי חופשה השנתית": "חופשה.md",
    "Where do I leave the car?": "english.md",
}


@pytest.fixture(params=["lancedb", pytest.param("weaviate", marks=pytest.mark.weaviate)])
def readers(
    request: pytest.FixtureRequest, new_server: Callable[..., RunningServer], tmp_path: Path
) -> Iterator[tuple[Mesh, Mesh]]:
    """The owner, and one who may read two headings."""
    settings = {} if request.param == "lancedb" else {"MESH_VECTORS": request.getfixturevalue("weaviate_url")}
    server = new_server(**settings)
    with server.admin() as admin:
        admin.admin.create_principal("user:paul")
        admin.admin.create_domain("policy", owners=["user:paul"])
        admin.admin.create_principal("user:ann")
    with server.user("user:paul") as mesh, server.user("user:ann") as ann:
        for name, text in FILES.items():
            (tmp_path / "pages").mkdir(exist_ok=True)
            (tmp_path / "pages" / name).write_text(text, encoding="utf-8")
        terms = CONTRACT.replace("- {name: text,", "- {name: heading, logicalType: string}\n      - {name: text,")
        mesh.domain("policy").product("notes", contract=terms).publish(pages=tmp_path / "pages", progress=False)
        mesh.grant("user:ann", PAGES, rows="heading IN ('الغَداء', '午餐')")
        yield mesh, ann


def test_documents_of_other_scripts_are_found_in_their_language_under_filters_and_cited_to_the_letter(
    readers: tuple[Mesh, Mesh],
) -> None:
    paul, ann = readers
    found = {question: paul.retrieve(PAGES, question) for question in ASKED}
    assert {question: hits[0].document for question, hits in found.items()} == ASKED
    for hit in (hit for hits in found.values() for hit in hits):
        text = FILES[hit.document]
        assert text[hit.start : hit.end].strip() == hit.text.strip()
    assert [hit.document for hit in ann.retrieve(PAGES, "متى يقدم الغداء")][:1] == ["غداء.md"]
    assert {hit.document for hit in ann.retrieve(PAGES, "退款需要几天", limit=20)} == {"غداء.md", "午餐.md"}
