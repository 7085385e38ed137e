"""Rules held against the facts of a case: other domains, clauses and thresholds than any sample's, checked by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from mesh_core.answers.answer import Citation, Figure, Finding, Recommendation, Sentence, Span, Verdict
from mesh_core.answers.conditions import conditions_in
from mesh_core.answers.disagreements import disagreements
from mesh_core.answers.facts import Fact, facts_of, facts_of_all, unknown_choices
from mesh_core.answers.recommending import recommend, states_reached
from mesh_core.answers.tables import LookUp
from mesh_core.contract import Port, load_contract

TODAY = date(2026, 11, 26)


def port(name: str, properties: list[dict[str, Any]], **more: Any) -> Port:
    document = {
        "kind": "DataContract", "apiVersion": "v3.2.0", "id": name, "version": "1.0.0", "status": "active",
        "schema": [{"name": name, "logicalType": "object", "properties": properties, **more}],
    }  # fmt: skip
    return load_contract(json.dumps(document)).ports[0]


CLAIMS = port(
    "claims",
    [
        {"name": "claim_no", "logicalType": "integer", "primaryKey": True},
        {"name": "reported_on", "logicalType": "date"},
        {"name": "accident_on", "logicalType": "date", "synonyms": [{"synonym": "accident"}]},
        {"name": "damage", "logicalType": "number", "customProperties": [{"property": "unit", "value": "USD"}]},
        {"name": "cover", "logicalType": "string", "enum": [{"value": "basic"}, {"value": "full"}]},
    ],
)


def facts(
    accident: str = "2026-10-01", damage: str = "800.00", cover: str = "basic", masked: frozenset[str] = frozenset()
) -> list[Fact]:
    row = ("17", "2026-10-05", accident, damage, cover)
    columns = ("claim_no", "reported_on", "accident_on", "damage", "cover")
    return facts_of(Figure(1, "", "", columns, (row,), ()), LookUp("car.policies.claims", CLAIMS, masked))


def passages(*texts: str, document: str = "claims.md", title: str = "Claims handling") -> list[Citation]:
    found, start = [], 0
    for number, text in enumerate(texts, start=2):
        span = Span(start, start + len(text))
        found.append(Citation(number, "car.rules.pages", 1, str(number), document, title, title, None, span, text))
        start += len(text) + 1
    return found


def recommended(*texts: str, question: str = "May we pay claim 17?", given: list[Fact] | None = None) -> Recommendation:
    found = recommend(question, passages(*texts), facts() if given is None else given, today=TODAY)
    assert found is not None
    return found


def verdict(rule: str, **given: str) -> Verdict:
    return recommended(rule, given=facts(**given)).findings[0].verdict


@pytest.mark.parametrize(
    ("rule", "day", "expected"),
    [
        ("Claims may be paid within 56 days of the accident.", "2026-10-01", Verdict.APPLIES),
        ("Claims may be paid within 55 days of the accident.", "2026-10-01", Verdict.FAILS),
        ("Claims may be paid within eight weeks after the accident.", "2026-10-01", Verdict.APPLIES),
        ("Claims may be paid no later than two months after the accident.", "2026-09-26", Verdict.APPLIES),
        ("Claims may be paid no later than two months after the accident.", "2026-09-25", Verdict.FAILS),
        ("More than 30 days after the accident nothing is paid.", "2026-10-27", Verdict.FAILS),
        ("More than 30 days after the accident nothing is paid.", "2026-10-26", Verdict.APPLIES),
        ("A claim must be at least 14 days from the accident.", "2026-11-13", Verdict.FAILS),
        ("Between 10 and 20 days after the accident a clerk may decide.", "2026-11-06", Verdict.APPLIES),
        ("Between 10 and 20 days after the accident a clerk may decide.", "2026-11-05", Verdict.FAILS),
    ],
)
def test_a_time_since_what_the_rule_names_is_counted_in_days(rule, day, expected):
    assert verdict(rule, accident=day) is expected


@pytest.mark.parametrize(
    ("rule", "damage", "expected"),
    [
        ("Damage up to USD 800 may be paid without a survey.", "800.00", Verdict.APPLIES),
        ("Damage up to USD 800 may be paid without a survey.", "800.01", Verdict.FAILS),
        ("Damage above 800 dollars needs a survey.", "800.00", Verdict.FAILS),
        ("Damage of 800 dollars or more needs a survey.", "800.00", Verdict.APPLIES),
        ("Damage between $500 and $1,000 may be settled by phone.", "999.99", Verdict.APPLIES),
        ("Damage under 5,000.50 USD is paid, never more.", "5000.50", Verdict.FAILS),
    ],
)
def test_a_sum_is_compared_exactly(rule, damage, expected):
    assert verdict(rule, damage=damage) is expected


def test_what_is_compared_is_told_with_its_figure():
    (finding,) = recommended("Claims may be paid within 60 days of the accident.").findings
    assert finding.source == 2
    assert finding.figures == (1,)
    assert finding.because == (
        "claims 17: accident on 2026-10-01, 56 days ago, against “Claims may be paid within 60 days of the accident”"
    )


def test_a_rule_for_one_of_the_listed_values_applies_to_it_alone():
    rule = "Full cover claims may be paid within 90 days of the accident."
    assert verdict(rule, cover="full") is Verdict.APPLIES
    assert verdict(rule, cover="basic") is Verdict.FAILS
    assert verdict("Claims that are in full may be paid within 90 days of the accident.", cover="basic") is Verdict.APPLIES


def test_a_listed_value_that_nobody_may_see_leaves_the_rule_open():
    rule = "Gold customers may be paid within 90 days of the accident."
    tiers = port("customers", [{"name": "tier", "logicalType": "string", "enum": [{"value": "gold"}]}])
    unknown = unknown_choices([tiers, CLAIMS], facts())
    found = recommended(rule, given=[*facts(), *unknown])
    assert found.findings[0].verdict is Verdict.OPEN
    assert "The tier of customers is not known" in found.missing[0]


def test_a_date_that_is_not_on_record_or_masked_is_named_and_nothing_is_guessed():
    rule = "Claims may be paid within 60 days of the accident."
    absent = recommended(rule, given=facts(accident=""))
    assert absent.findings[0].verdict is Verdict.OPEN
    assert "claims 17: accident on has no value" in absent.missing[0]
    masked = recommended(rule, given=facts(masked=frozenset({"accident_on"})))
    assert masked.findings[0].verdict is Verdict.OPEN
    assert "is masked for you" in masked.missing[0]
    other = recommended("Claims may be paid within 60 days of the repair.")
    assert other.findings[0].verdict is Verdict.OPEN
    assert "Nothing on record says" in other.missing[0]


def test_what_time_counts_from_holds_for_the_rules_that_follow():
    found = recommended(
        "Claims may be paid within 30 days of the accident.", "After day 50 nothing is paid.", given=facts(accident="2026-10-01")
    )
    assert [(it.rule, it.verdict) for it in found.findings] == [
        ("After day 50 nothing is paid.", Verdict.APPLIES),
        ("Claims may be paid within 30 days of the accident.", Verdict.FAILS),
    ]


def test_a_time_that_the_question_states_is_used():
    found = recommended("Claims may be paid within 30 days of the accident.", question="May we pay claim 17 after 20 days?")
    assert found.findings[0].verdict is Verdict.APPLIES
    assert found.findings[0].because.startswith("20 days as asked")


@pytest.mark.parametrize("stated", ["after -5 days", "after −5 days", "for -5 dollars", "for $-5"])
def test_a_negative_amount_states_nothing(stated):
    rules = ("Claims may be paid within 30 days of the accident.", "Damage up to USD 700 may be paid.")
    found = recommended(*rules, question=f"May we pay claim 17 {stated}?")
    assert [it.verdict for it in found.findings] == [Verdict.FAILS, Verdict.FAILS]
    assert not any("as asked" in it.because for it in found.findings)


def test_a_case_of_its_own_needs_to_be_the_case():
    rule = "If the driver fled, claims may be paid within 90 days of the accident."
    open_rule = recommended(rule)
    assert open_rule.findings[0].verdict is Verdict.OPEN
    assert "the driver fled" in open_rule.missing[0]
    assert recommended(rule, question="May we pay claim 17? The driver fled.").findings[0].verdict is Verdict.APPLIES


def test_exceptions_and_demands_are_to_be_checked():
    found = recommended(
        "Claims may be paid within 60 days of the accident unless the driver was drunk.",
        "The claim form must be signed. Racing is never covered by a claim.",
    )
    assert found.findings[0].verdict is Verdict.APPLIES
    assert any("unless the driver was drunk" in it for it in found.missing)
    assert any("must be signed" in it for it in found.missing)


def test_working_days_are_not_taken_for_days():
    found = recommended("Claims may be paid within 60 working days of the accident.")
    assert found.findings[0].verdict is Verdict.OPEN
    assert "counts working days" in found.missing[0]


def test_rules_about_something_else_decide_nothing():
    travel = passages("A trip above 500 dollars needs an approval.", document="travel.md", title="Travel")
    claims = passages("Claims may be paid within 60 days of the accident.")
    found = recommend("May we pay claim 17?", [*claims, *travel], facts(), today=TODAY)
    assert found is not None
    assert [it.rule for it in found.findings] == ["Claims may be paid within 60 days of the accident."]


def test_without_a_case_or_a_question_of_what_may_be_done_there_is_no_recommendation():
    rules = passages("Claims may be paid within 60 days of the accident.")
    assert recommend("May we pay claim 17?", rules, [], today=TODAY) is None
    assert recommend("Where is claim 17?", rules, facts(), today=TODAY) is None
    assert recommend("May we pay claim 17?", passages("Claims are a burden."), facts(), today=TODAY) is None


@pytest.mark.parametrize(
    "question",
    [
        "Is a payment of claim 17 permitted?",
        "Claim 17: compensation yes or no?",
        "Please check whether a payment is due on claim 17",
        "Do we have to settle claim 17?",
        "The driver wants his money for claim 17. What do we do?",
        "Do we pay claim 17?",
        "Claim 17 arrived today, to be paid?",
    ],
)
def test_a_record_and_a_matter_that_rules_speak_of_ask_for_a_recommendation_in_any_wording(question):
    found = recommended("Claims may be paid within 60 days of the accident.", question=question)
    assert [it.verdict for it in found.findings] == [Verdict.APPLIES]


@pytest.mark.parametrize(
    "question", ["What is the damage of claim 17?", "On which day was the accident of claim 17?", "Show claim 17", "Who drove?"]
)
def test_who_asks_for_a_value_on_record_gets_no_recommendation(question):
    rules = passages("Claims may be paid within 60 days of the accident.", "Damage above 500 USD may be refused.")
    assert recommend(question, rules, facts(), today=TODAY) is None


DRIVERS = port(
    "drivers",
    [
        {"name": "driver_no", "logicalType": "integer", "primaryKey": True},
        {"name": "premiums", "logicalType": "number", "customProperties": [{"property": "unit", "value": "USD"}]},
        {"name": "last_accident_on", "logicalType": "date"},
    ],
)


def several(*, is_own: bool = True) -> list[Fact]:
    rows = (("17", "2026-10-05", "2026-10-01", "800.00"), ("18", "2026-10-06", "2026-10-02", "900.00"))
    figure = Figure(1, "", "", ("claim_no", "reported_on", "accident_on", "damage"), rows, ())
    return facts_of(figure, LookUp("car.policies.claims", CLAIMS, is_own=is_own))


def driver(*, is_own: bool) -> list[Fact]:
    figure = Figure(2, "", "", ("driver_no", "premiums", "last_accident_on"), (("5", "5760.00", "2026-11-20"),), ())
    return facts_of(figure, LookUp("car.people.drivers", DRIVERS, is_own=is_own))


@pytest.mark.parametrize("are_claims_named", [True, False])
@pytest.mark.parametrize(
    "rule",
    [
        "Damage above 1,000 dollars needs a survey before a claim is paid.",
        "Claims above 1,000 dollars need a survey.",
        "Payments for claims above 1,000 dollars need a survey.",
        "Above 1,000 dollars a claim needs a survey.",
        "Claims may be paid within 60 days of the accident.",
        "Claims may be paid within 60 days.",
    ],
)
def test_no_other_row_stands_for_one_of_several(rule, are_claims_named):
    given = [*several(is_own=are_claims_named), *driver(is_own=not are_claims_named)]
    (finding,) = recommended(rule, question="May we pay claims 17 and 18?", given=given).findings
    assert (finding.verdict, finding.figures) == (Verdict.OPEN, ())


def test_one_of_several_rows_must_be_named():
    found = recommended("Damage above 1,000 dollars needs a survey.", question="May we pay claims 17 and 18?", given=several())
    assert "Which of several claims 17 or 18: their damage is held against" in found.missing[0]


def looked_up(number: int, definition: Port, key: str, **look_up: Any) -> tuple[LookUp, Figure]:
    columns = tuple(it.name for it in definition.columns)
    row = (key, *("" for _ in columns[1:])) if definition is DRIVERS else (key, "2026-10-05", "2026-10-01", "1800.00", "full")
    return LookUp(f"car.policies.{definition.name}", definition, **look_up), Figure(number, "", "", columns, (row,), ())


OTHER_DRIVER = looked_up(3, DRIVERS, "6", is_own=False, referred_by="car.policies.claims where claim_no is 17")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([looked_up(1, CLAIMS, "17"), looked_up(2, CLAIMS, "18")], {"claims 17 or 18"}),
        ([looked_up(1, CLAIMS, "17"), looked_up(2, CLAIMS, "17")], set()),
        ([looked_up(1, CLAIMS, "17"), looked_up(2, DRIVERS, "5"), OTHER_DRIVER], {"drivers 5 or 6"}),
        (
            [
                looked_up(1, CLAIMS, "17"),
                looked_up(2, CLAIMS, "9", is_own=False, referred_by="car.policies.claims where claim_no is 17"),
            ],
            set(),
        ),
        ([looked_up(1, CLAIMS, "17"), looked_up(2, CLAIMS, "9", is_own=False)], set()),
    ],
)
def test_rows_of_one_table_that_are_named_apart_are_several_and_never_one_case(found, told):
    given = facts_of_all(found)
    assert {it.row for it in given if it.is_several} == told
    assert all(not it.text for it in given if it.is_several)


def test_a_question_about_two_rows_is_answered_for_neither_and_asks_for_one():
    given = facts_of_all([looked_up(1, CLAIMS, "17"), looked_up(2, CLAIMS, "18")])
    rules = "Damage above 1,000 dollars needs a survey.", "For full cover claims damage is paid within 90 days of the accident."
    found = recommended(*rules, question="May we pay claim 17, and what of claim 18?", given=given)
    assert {it.verdict for it in found.findings} == {Verdict.OPEN}
    assert all("17 or 18" in it for it in found.missing[:2])


def test_a_rule_that_names_a_sum_of_a_related_row_is_held_against_it():
    rule = "Premiums above 5,000 dollars must be checked before a claim is paid."
    (finding,) = recommended(rule, given=[*several(), *driver(is_own=False)]).findings
    assert (finding.verdict, finding.figures) == (Verdict.APPLIES, (2,))


@pytest.mark.parametrize(
    ("sentence", "low", "high"),
    [
        ("A 14-day return period applies.", None, "14 days"),
        ("The warranty term is 2 years.", None, "2 years"),
        ("Customers have 45 days.", None, "45 days"),
        ("Orders up to EUR 500 may be refunded.", None, "500 EUR"),
        ("Between day 31 and day 60 a voucher is due.", "31 days", "60 days"),
        ("It costs 30 euro and takes 5 days.", None, None),
    ],
)
def test_bounds_are_read_and_bare_amounts_are_none(sentence, low, high):
    found = conditions_in(sentence)
    assert [(it.low and str(it.low), it.high and str(it.high)) for it in found] == ([(low, high)] if low or high else [])
    assert all(isinstance(it.bound.value, Decimal) for it in found)


def test_times_beyond_the_calendar_are_no_failure():
    assert verdict("Claims may be paid within 99999999 days of the accident.") is Verdict.APPLIES
    stated = recommended("Claims may be paid within 30 days.", question="May we pay claim 17 after 99999999999999999999 days?")
    assert stated.findings[0].verdict is Verdict.FAILS


def test_what_is_asked_for_and_done_already_is_told():
    told = states_reached("May we give claim 17 full cover?", facts(cover="full"))
    assert told == [Sentence("Claims 17: cover is already full.", (1,))]
    assert states_reached("May we give claim 17 full cover?", facts()) == []
    assert states_reached("May we give claim 17 full cover?", facts(cover="full", masked=frozenset({"cover"}))) == []


@pytest.mark.parametrize(
    ("question", "unknown"),
    [
        ("The insurer wants a subrogation for claim 17. May we pay?", ["insurer", "subrogation"]),
        ("May we pay claim 17?", []),
        ("May we pay claim 17 after 20 days, please?", []),
        ("Is a settlement of claim 17 allowed within the accident period?", ["settlement"]),
    ],
)
def test_words_of_the_question_of_which_no_rule_and_no_row_speaks_are_named(question, unknown):
    found = recommended("Claims may be paid within 60 days of the accident. Every payment is booked.", question=question)
    told = [it for it in found.missing if it.startswith("No rule that was found speaks of")]
    listed = ", ".join(f"“{it}”" for it in unknown)
    assert told == ([f"No rule that was found speaks of {listed}: whether that changes the case is not told."] if unknown else [])


def test_a_sum_in_a_currency_that_is_on_no_record_is_named():
    rule = "Damage up to USD 800 may be paid without a survey."
    found = recommended(rule, question="May we pay 300 euro for claim 17?")
    assert "300 EUR as asked: the sums on record are in USD, and no rate is known between them." in found.missing
    assert not any("rate" in it for it in recommended(rule, question="May we pay 300 dollars for claim 17?").missing)


GENERAL = "Claims may be paid within 60 days of the accident."


@pytest.mark.parametrize(
    ("special", "question"),
    [
        ("Hailed claims may be paid within 90 days of the accident.", "The car was hailed. May we pay claim 17?"),
        ("Hailed claims are never paid.", "May we pay claim 17, which is hailed?"),
        ("Hail damage at home is not paid for rusty cars.", "May we pay claim 17? The cars were rusty."),
        ("Claims that were filed twice cannot be paid.", "Claim 17 was filed twice. May we pay?"),
        ("Full cover claims may be paid within 90 days of the accident.", "May we pay claim 17?"),
        ("If the driver fled, claims are paid within 90 days of the accident.", "The driver fled. May we pay claim 17?"),
        ("Claims with damage of 500 USD or more are paid within 70 days of the accident instead.", "May we pay claim 17?"),
    ],
)
def test_a_rule_for_the_case_of_the_question_goes_before_the_general_one_which_is_still_told(special, question):
    found = recommended(GENERAL, special, question=question, given=facts(cover="full"))
    assert [(it.rule, it.verdict) for it in found.findings] == [(special, Verdict.APPLIES), (GENERAL, Verdict.OPEN)]
    assert found.findings[1].because.startswith(f"would apply, but “{special}” goes first")
    assert found.text == f"{special} [3]"


def test_a_rule_for_the_case_that_does_not_hold_leaves_the_general_one_open():
    special = "Hailed claims may be paid within 20 days of the accident."
    found = recommended(GENERAL, special, question="The car was hailed. May we pay claim 17?")
    assert {it.rule: it.verdict for it in found.findings} == {GENERAL: Verdict.OPEN, special: Verdict.FAILS}
    assert found.findings[0].because.startswith(f"would apply, but “{special}” is for this case, and does not hold")


@pytest.mark.parametrize(
    ("special", "verdict"),
    [
        ("Hailed claims may be paid within 90 days of the accident.", Verdict.OPEN),  # nobody says that it is one
        ("Full cover claims may be paid within 90 days of the accident.", Verdict.FAILS),
        ("Damage above 500 USD needs a survey before a claim is paid.", Verdict.APPLIES),  # demands something more
    ],
)
def test_a_rule_for_another_case_and_one_that_demands_more_leave_the_general_one_as_it_is(special, verdict):
    found = recommended(GENERAL, special)
    assert {it.rule: it.verdict for it in found.findings} == {GENERAL: Verdict.APPLIES, special: verdict}


def test_an_exclusion_that_the_question_states_applies_and_is_not_to_be_checked():
    rule = "Borrowed cars cannot be insured for a claim."
    stated = recommended(GENERAL, rule, question="May we pay claim 17? The cars were borrowed.")
    assert stated.findings[0].rule == rule
    assert stated.findings[0].verdict is Verdict.APPLIES
    assert not any(rule in it for it in stated.missing)
    denied = recommended(GENERAL, rule, question="May we pay claim 17? The cars were not borrowed.")
    assert {it.rule: it.verdict for it in denied.findings} == {GENERAL: Verdict.APPLIES, rule: Verdict.FAILS}
    assert f"Not on record, to be checked: “{rule}”" in recommended(GENERAL, rule).missing


def test_an_exception_that_the_question_states_holds():
    rule = "Claims may be paid within 60 days of the accident unless the driver was drunk."
    drunk = recommended(rule, question="The driver was drunk. May we pay claim 17?")
    assert [it.verdict for it in drunk.findings] == [Verdict.FAILS]
    assert not any("exception" in it for it in drunk.missing)


@pytest.mark.parametrize(
    ("question", "because"),
    [
        ("May we give a courtesy of 1,200 dollars on claim 17?", "claims 17: damage"),
        ("May we give 1,200 dollars courtesy on claim 17?", "claims 17: damage"),
        ("Claim 17 has damage of 1,200 dollars. May we pay?", "1,200 USD as asked"),
        ("May we pay 1,200 dollars of damage for claim 17?", "1,200 USD as asked"),
        ("Is 1,200 dollars for the damage of claim 17 allowed?", "1,200 USD as asked"),
    ],
)
def test_a_stated_sum_is_held_against_conditions_on_what_it_is_of(question, because):
    (finding,) = recommended("Damage above 1,000 dollars needs a survey.", question=question).findings
    assert finding.because.startswith(because)


@pytest.mark.parametrize(
    "question",
    [
        "When will the driver get his money for claim 17?",
        "How long does the payment of claim 17 take?",
        "Claim 17: how soon can he be paid?",
    ],
)
def test_who_asks_when_is_told_the_rule_that_states_the_time(question):
    rule = "Compensation is paid within five working days of the decision."
    (finding,) = recommended(rule, question=question).findings
    assert (finding.rule, finding.verdict) == (rule, Verdict.APPLIES)
    assert finding.because == "“Compensation is paid within five working days of the decision” is the time that is asked for"


@pytest.mark.parametrize(
    "question", ["When was the accident of claim 17?", "May we pay claim 17?", "When will the survey of claim 17 begin?"]
)
def test_a_time_that_is_not_asked_for_answers_nothing(question):
    rule = "Compensation is paid within five working days of the decision."
    found = recommend(question, passages(rule), facts(), today=TODAY)
    assert found is None or [it.verdict for it in found.findings] == [Verdict.OPEN]


def test_documents_that_say_the_same_with_other_numbers_do_not_agree():
    rule, older = "Claims may be paid within 50 days of the accident.", "Claims may be paid within 60 days of the accident."
    elsewhere = "Glass may be paid within 60 days of the accident."
    new, old, other = (
        passages(it, document=name, title=name) for it, name in ((rule, "2026"), (older, "2024"), (elsewhere, "glass"))
    )
    (new, old, other) = (replace(it[0], number=number) for number, it in enumerate((new, old, other), start=2))
    told = {it.number: it for it in (new, old, other)}
    fails, applies = Finding(rule, 2, Verdict.FAILS, ""), Finding(older, 3, Verdict.APPLIES, "")
    (sentence,) = disagreements([applies, fails, Finding(elsewhere, 4, Verdict.APPLIES, "")], told)
    assert sentence.text == f"Documents do not agree: “{older}” (2024) and “{rule}” (2026). Find out which of them is in force."
    assert sentence.sources == (3, 2)
    assert disagreements([applies, replace(fails, verdict=Verdict.APPLIES)], told) == []  # either way the same comes out
    assert disagreements([applies, fails], {**told, 3: replace(old, document="2026")}) == []  # of one document: a case of its own
