"""Neighbouring words found as one, and how much words weigh."""

from __future__ import annotations

from mesh_core.retrieval.weighting import weight_for, weight_of_meaning
from mesh_core.vectors.store import DEFAULT_ALPHA
from mesh_core.vectors.word_pairs import with_word_pairs


def pairs(text: str) -> set[str]:
    return set(with_word_pairs(text).rpartition("\n")[2].split())


def test_a_question_shares_the_pairs_of_the_passage_that_answers_it() -> None:
    passage = "Sales by Contract Type: substantially all of our contracts are fixed-price contracts."
    assert {"contracttyp", "fixpric"} <= pairs(passage)
    assert pairs("What are the contract types?") == {"contracttyp"}


def test_the_text_itself_stays_as_it_is_before_its_pairs() -> None:
    assert with_word_pairs("Total sales\n2019 2018").startswith("Total sales\n2019 2018\n")
    assert with_word_pairs("Lunch") == "Lunch"
    assert with_word_pairs("") == ""


def test_amounts_side_by_side_make_no_pairs_and_a_number_beside_a_word_does() -> None:
    assert pairs("Other sales 44.1 56.7 1,036.9") == {"othersal", "sal44"}
    assert pairs("Form 10-K, Level 3") == {"form10", "10k", "klevel", "level3"}
    assert with_word_pairs("2019 2018 2017") == "2019 2018 2017"


def test_the_rows_of_a_table_share_no_pair() -> None:
    assert pairs("Raw materials\nFinished goods") == {"rawmaterial", "finishgood"}


def test_words_too_long_for_an_index_make_no_pair() -> None:
    assert max(map(len, pairs("x" * 30 + " " + "w" * 30 + " ab cd"))) <= 40


def test_collections_of_tables_weigh_words_more_and_reports_and_prose_do_not() -> None:
    assert weight_of_meaning(documents=278, pages=0, tables=278) < DEFAULT_ALPHA
    assert weight_of_meaning(documents=246, pages=0, tables=40) == DEFAULT_ALPHA
    assert weight_of_meaning(documents=16, pages=1200, tables=900) == DEFAULT_ALPHA
    assert weight_of_meaning(documents=0, pages=0, tables=0) == DEFAULT_ALPHA


def test_text_without_spaces_is_also_said_in_pairs_of_its_letters() -> None:
    assert pairs("退款政策。") >= {"退款", "款政", "政策"}
    assert pairs("返金ポリシー") >= {"返金", "金ポ", "ポリ", "リシ", "シー"}
    assert pairs("환불 정책은") >= {"환불", "정책", "책은"}
    assert "政" not in pairs("退款政策")
    assert not {"策返", "款退"} & pairs("退款政策 返金")


def test_words_are_also_said_without_their_marks() -> None:
    assert {"كتاب", "الاسترداد"} <= pairs("كِتَابُ الاسْتِردَاد")
    assert "كتاب" in pairs("كتـــاب")
    assert "שלום" in pairs("שָׁלוֹם")
    assert "cafes" in pairs("Cafés") & pairs("Cafe\u0301s")
    assert "2024" in pairs("２０２４")
    assert pairs("がくせい") == {"がく", "くせ", "せい"}
    assert pairs("plain words") == {"plainword"}


def test_words_lead_where_the_model_does_not_read_the_question() -> None:
    english = "all-MiniLM-L6-v2@sha256:0123"
    assert weight_for("退款需要几天 (SAP)", english, 0.75) < 0.5
    assert weight_for("متى يقدم الغداء", english, 0.2) == 0.2
    assert weight_for("When is 午餐 served?", english, 0.75) == 0.75
    assert weight_for("2024?", english, 0.75) == 0.75
    assert weight_for("退款需要几天", "text-embedding-3-small", 0.75) == 0.75
