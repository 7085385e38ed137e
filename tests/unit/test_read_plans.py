"""Read plans: single merges with expected plans written by hand from design §5."""

import pytest

from governance_server.rules.read_plans import Branch, ColumnPlan, ColumnRules, Denied, ReadPlan, build_plan
from mesh_core.expressions.tree import FALSE, TRUE, And, Column, Compare, Literal, Or, Subject
from mesh_core.masks import Mask
from tests.unit.policy_samples import deny, rule

PORT = "hr.people.staff"
MY_TEAM = Compare("=", Column("team"), Literal("blue"))
SENIOR = Compare(">=", Column("level"), Literal(3))
NOT_ERASED = Compare("=", Column("erased"), Literal(False))
UNBOUND = Compare("=", Column("team"), Subject("team"))
FILTERS = {"my-team": MY_TEAM, "senior": SENIOR, "not-erased": NOT_ERASED, "bound-later": UNBOUND}


def allow(rid):
    return rule("user:a", PORT, rid=rid)


def mask(rid, value, kind="grant"):
    return rule("user:a", PORT, section="p2", value=value, rid=rid, kind=kind)


def row_filter(rid, value, kind="grant"):
    return rule("user:a", PORT, section="p3", value=value, rid=rid, kind=kind)


def column(name, *rules):
    by_section = {s: tuple(r for r in rules if r.section == s) for s in ("p", "p2", "p3")}
    denies = tuple(r for r in by_section["p"] if r.value == "deny")
    allows = tuple(r for r in by_section["p"] if r.value == "allow")
    return ColumnRules(name, allows, bool(denies), by_section["p2"], by_section["p3"], denies)


def plan_of(*columns, filters=FILTERS, revision=5, purpose="payroll", principal="user:a"):
    return build_plan(port=PORT, principal=principal, purpose=purpose, revision=revision, columns=columns, filters=filters)


def test_one_plain_grant_shows_everything_and_leaves_no_obligation():
    plan = plan_of(column("name", allow("g")), column("salary", allow("g")))
    clear = (Branch(TRUE, None),)
    assert isinstance(plan, ReadPlan)
    assert plan.row_filter == TRUE
    assert plan.columns == (ColumnPlan("name", clear, None), ColumnPlan("salary", clear, None))
    assert not plan.has_obligations
    assert plan.revision == 5


def test_salaries_of_my_team_and_everybodys_names_never_show_a_salary_outside_my_team():
    names, salaries = allow("names"), (allow("salaries"), row_filter("salaries", "my-team"))
    plan = plan_of(column("name", names, row_filter("salaries", "my-team")), column("salary", *salaries))
    assert plan.row_filter == TRUE
    assert plan.columns == (
        ColumnPlan("name", (Branch(TRUE, None),), None),
        ColumnPlan("salary", (Branch(MY_TEAM, None),), None),
    )
    assert plan.has_obligations


def test_rows_that_no_single_grant_gives_are_filtered_out():
    plan = plan_of(
        column("name", allow("a"), row_filter("a", "my-team")), column("salary", allow("b"), row_filter("b", "senior"))
    )
    assert plan.row_filter in (Or((MY_TEAM, SENIOR)), Or((SENIOR, MY_TEAM)))
    assert [c.branches for c in plan.columns] == [(Branch(MY_TEAM, None),), (Branch(SENIOR, None),)]


def test_all_filters_of_one_grant_must_hold_wherever_they_were_found():
    team, senior = row_filter("a", "my-team"), row_filter("a", "senior")
    plan = plan_of(column("name", allow("a"), team), column("salary", allow("a"), senior))
    assert plan.row_filter in (And((MY_TEAM, SENIOR)), And((SENIOR, MY_TEAM)))
    assert [c.branches for c in plan.columns] == [(Branch(TRUE, None),)] * 2


def test_a_grants_mask_binds_that_grant_only_and_clear_comes_first():
    masked = (allow("wide"), mask("wide", "show-last-4"))
    plan = plan_of(column("iban", *masked, allow("mine"), row_filter("mine", "my-team")))
    assert plan.columns[0].branches == (Branch(MY_TEAM, None), Branch(TRUE, Mask.SHOW_LAST_4))
    assert plan.row_filter == TRUE


def test_a_grant_that_shows_less_of_the_same_rows_adds_nothing():
    masked = (allow("masked"), mask("masked", "sha-256-global"), row_filter("masked", "my-team"))
    plan = plan_of(column("iban", allow("clear"), *masked))
    assert plan.columns[0].branches == (Branch(TRUE, None),)


def test_the_less_strict_of_two_ordered_masks_decides_where_both_grants_hold():
    month = (allow("month"), mask("month", "truncate-to-month"), row_filter("month", "my-team"))
    year = (allow("year"), mask("year", "truncate-to-year"))
    plan = plan_of(column("born", *year, *month))
    assert plan.columns[0].branches == (Branch(MY_TEAM, Mask.TRUNCATE_TO_MONTH), Branch(TRUE, Mask.TRUNCATE_TO_YEAR))


def test_where_two_masks_have_no_order_the_value_is_null():
    first = (allow("first"), mask("first", "show-first-4"), row_filter("first", "my-team"))
    last = (allow("last"), mask("last", "show-last-4"), row_filter("last", "senior"))
    plan = plan_of(column("iban", *first, *last))
    both, *alone = plan.columns[0].branches
    assert both.mask == Mask.REPLACE_WITH_NULL
    assert both.condition in (And((MY_TEAM, SENIOR)), And((SENIOR, MY_TEAM)))
    assert alone == [Branch(MY_TEAM, Mask.SHOW_FIRST_4), Branch(TRUE, Mask.SHOW_LAST_4)]


def test_two_masks_without_order_on_every_row_are_null_everywhere():
    plan = plan_of(column("iban", allow("a"), mask("a", "show-first-4"), allow("b"), mask("b", "show-last-4")))
    assert plan.columns[0].branches == (Branch(TRUE, Mask.REPLACE_WITH_NULL),)


def test_masks_of_one_grant_join():
    plan = plan_of(column("iban", allow("a"), mask("a", "show-first-4"), mask("a", "show-last-4")))
    assert plan.columns[0].branches == (Branch(TRUE, Mask.REPLACE_WITH_NULL),)


def test_guardrails_come_on_top_of_every_grant():
    guarded = (allow("g"), row_filter("guard", "not-erased", "guard"), mask("guard", "sha-256-global", "guard"))
    plan = plan_of(column("name", allow("g")), column("iban", *guarded, mask("other", "sha-256-query-local", "guard")))
    assert plan.row_filter == NOT_ERASED
    assert plan.columns[0].is_clear
    assert plan.columns[1] == ColumnPlan("iban", (Branch(TRUE, None),), Mask.SHA_256_QUERY_LOCAL)


def test_a_guard_filter_on_a_hidden_column_still_filters_the_rows():
    hidden = column("iban", row_filter("guard", "not-erased", "guard"))
    plan = plan_of(column("name", allow("g")), hidden)
    assert plan.row_filter == NOT_ERASED
    assert plan.hidden_columns == ("iban",)


def test_a_column_that_nobody_gives_is_hidden_and_so_is_a_denied_one():
    plan = plan_of(column("name", allow("g")), column("salary"), column("iban", allow("g"), deny("user:a", PORT, rid="no")))
    assert plan.hidden_columns == ("salary", "iban")
    assert [c.name for c in plan.columns] == ["name"]
    assert {(r.rule, r.effect) for r in plan.reasons} >= {("no", "deny"), ("", "hidden"), ("g", "grant")}


def test_a_denial_given_without_its_rules_hides_all_the_same():
    plan = plan_of(column("name", allow("g")), ColumnRules("iban", (allow("g"),), denied=True))
    assert plan.hidden_columns == ("iban",)


def test_no_column_at_all_is_a_denial_with_reasons():
    outcome = plan_of(column("name"), column("iban", allow("g"), deny("user:a", PORT, rid="guard-pii")))
    assert isinstance(outcome, Denied)
    assert any(r.rule == "guard-pii" and "iban" in r.text for r in outcome.reasons)
    assert isinstance(plan_of(), Denied)


@pytest.mark.parametrize("unusable", ["nowhere", "bound-later"], ids=["unknown", "not bound"])
def test_a_grant_whose_filter_cannot_be_evaluated_gives_nothing(unusable):
    lost = (allow("lost"), row_filter("lost", unusable))
    plan = plan_of(column("name", allow("g"), *lost), column("salary", *lost))
    assert plan.hidden_columns == ("salary",)
    assert plan.row_filter == TRUE
    assert any(r.rule == "lost" and r.effect == "ignored" for r in plan.reasons)


@pytest.mark.parametrize("unusable", ["nowhere", "bound-later"], ids=["unknown", "not bound"])
def test_a_guardrail_whose_filter_cannot_be_evaluated_denies_the_read(unusable):
    outcome = plan_of(column("name", allow("g"), row_filter("guard", unusable, "guard")))
    assert isinstance(outcome, Denied)


def test_an_unknown_mask_of_a_grant_takes_that_column_from_that_grant():
    lost = (allow("lost"), mask("lost", "rot13"))
    given = (allow("g"), row_filter("g", "senior"))
    plan = plan_of(column("name", allow("lost")), column("iban", *lost), column("bic", *lost, *given))
    assert plan.hidden_columns == ("iban",)
    assert plan.columns[1].branches == (Branch(SENIOR, None),)


def test_an_unknown_guard_mask_hides_the_column():
    plan = plan_of(column("name", allow("g")), column("iban", allow("g"), mask("guard", "rot13", "guard")))
    assert plan.hidden_columns == ("iban",)


@pytest.mark.parametrize("nonsense", [FALSE, Literal(None), Literal(1), Literal("yes")])
def test_a_filter_that_can_never_be_true_gives_no_row(nonsense):
    plan = plan_of(column("name", allow("g"), row_filter("g", "odd")), filters={"odd": nonsense})
    assert plan.row_filter == FALSE
    assert plan.has_obligations


def test_obligations_of_a_rule_that_gives_nothing_change_nothing():
    stray = (mask("stray", "show-last-4"), row_filter("stray", "senior"))
    plan = plan_of(column("name", allow("g"), *stray))
    assert not plan.has_obligations


# -- digest ------------------------------------------------------------------------------------------------------------


def test_the_digest_depends_on_what_is_served_and_nothing_else():
    wide = (allow("wide"), mask("wide", "show-last-4"))
    mine = (allow("mine"), row_filter("mine", "my-team"))
    plan = plan_of(column("iban", *wide, *mine))
    assert plan.digest() == plan_of(column("iban", *mine, *wide), revision=99, principal="user:b", purpose="audit").digest()
    others = [
        plan_of(column("iban", *wide)),
        plan_of(column("iban", *mine)),
        plan_of(column("bic", *wide, *mine)),
        plan_of(column("iban", *wide, allow("mine"), row_filter("mine", "senior"))),
        plan_of(column("iban", *wide, *mine, mask("guard", "show-last-4", "guard"))),
        plan_of(column("iban", *wide, *mine), column("bic", allow("wide"))),
    ]
    assert len({plan.digest(), *(other.digest() for other in others)}) == 1 + len(others)


def test_the_digest_tells_literals_apart_that_python_holds_equal():
    digests = {
        plan_of(column("a", allow("g"), row_filter("g", "f")), filters={"f": Compare("=", Column("x"), Literal(value))}).digest()
        for value in (1, True, 1.0, "1")
    }
    assert len(digests) == 4


def test_plans_with_a_query_local_hash_are_never_shared_between_readers():
    hashed = (allow("g"), mask("g", "sha-256-query-local"))
    readers = [("user:a", "x"), ("user:a", "y"), ("user:b", "x"), ("user:b", "y")]
    digests = {plan_of(column("iban", *hashed), principal=name, purpose=why).digest() for name, why in readers}
    assert len(digests) == 4


def test_the_digest_is_stable_across_processes():
    plan = plan_of(column("name", allow("a"), row_filter("a", "my-team"), allow("b"), row_filter("b", "senior")))
    assert plan.digest() == "a5897a7c966f503b9ff35ab1f10305c26cbdab5926ebcb0853eddf73090710bc"
