"""Cell-exactness: generated grants and rows, the plan executed cell by cell against a brute-force reading of design §5."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance_server.rules import column_branches, read_plans
from governance_server.rules.read_plans import Branch, ColumnRules, Denied, build_plan
from governance_server.rules.row_conditions import write
from mesh_core.expressions.tree import FALSE, TRUE, And, Column, Compare, In, IsNull, Literal, Or
from mesh_core.masks import Mask
from tests.unit.policy_samples import rule

COLUMNS = ["name", "salary", "iban"]
TEAM_A = Compare("=", Column("team"), Literal("a"))
TEAM_B = Compare("=", Column("team"), Literal("b"))
SENIOR = Compare(">=", Column("level"), Literal(2))
FILTERS = {
    "team-a": TEAM_A,
    "team-b": TEAM_B,
    "senior": SENIOR,
    "senior-a": And((SENIOR, TEAM_A)),
    "any-team": Or((TEAM_A, TEAM_B)),
    "no-level": IsNull(Column("level")),
    "all": TRUE,
    "none": FALSE,
}
# What each filter means, said a second time in plain Python; a null never passes a comparison.
MEANING = {
    "team-a": lambda row: row["team"] == "a",
    "team-b": lambda row: row["team"] == "b",
    "senior": lambda row: row["level"] is not None and row["level"] >= 2,
    "senior-a": lambda row: row["team"] == "a" and row["level"] is not None and row["level"] >= 2,
    "any-team": lambda row: row["team"] in ("a", "b"),
    "no-level": lambda row: row["level"] is None,
    "all": lambda row: True,
    "none": lambda row: False,
}
ROWS = [{"team": team, "level": level} for team in ("a", "b", "c", None) for level in (1, 2, None)]
# Strictness as design §5 and Iceberg's masks have it: (milder, stricter); null is stricter than all, clear milder than all.
MILDER = {("sha-256-global", "sha-256-query-local"), ("truncate-to-month", "truncate-to-year")}
MASKS = ["sha-256-global", "sha-256-query-local", "truncate-to-month", "truncate-to-year", "show-last-4", "replace-with-null"]


def is_milder(left, right):
    if left == right:
        return False
    return left is None or (right is not None and (right == "replace-with-null" or (left, right) in MILDER))


def strictest(masks):
    """The join, by searching the whole vocabulary for the mildest mask no milder than any of them."""
    upper = [m for m in (None, *map(str, Mask)) if all(m == one or is_milder(one, m) for one in masks)]
    return next(m for m in upper if all(m == other or is_milder(m, other) for other in upper))


grants = st.lists(
    st.fixed_dictionaries(
        {
            "filters": st.sets(st.sampled_from(sorted(FILTERS)), max_size=2),
            "columns": st.dictionaries(st.sampled_from(COLUMNS), st.sets(st.sampled_from(MASKS), max_size=2), max_size=3),
        }
    ),
    max_size=4,
)
guards = st.fixed_dictionaries(
    {
        "filters": st.sets(st.sampled_from(["team-a", "senior", "any-team", "all"]), max_size=1),
        "masks": st.dictionaries(st.sampled_from(COLUMNS), st.sampled_from(MASKS), max_size=1),
        "denied": st.sets(st.sampled_from(COLUMNS), max_size=1),
    }
)


def inputs(some_grants, guard):
    """The rules as an engine hands them over, column by column; row filters turn up on every column."""
    filters = [
        rule(section="p3", value=f, rid=f"g{i}") for i, grant in enumerate(some_grants) for f in sorted(grant["filters"])
    ] + [rule(section="p3", value=f, rid="guard", kind="guard") for f in sorted(guard["filters"])]
    for name in COLUMNS:
        giving = [i for i, grant in enumerate(some_grants) if name in grant["columns"]]
        masks = [rule(section="p2", value=m, rid=f"g{i}") for i in giving for m in sorted(some_grants[i]["columns"][name])]
        if name in guard["masks"]:
            masks.append(rule(section="p2", value=guard["masks"][name], rid="guard", kind="guard"))
        allows = tuple(rule(rid=f"g{i}") for i in giving)
        yield ColumnRules(name, allows, name in guard["denied"], tuple(masks), tuple(filters))


def expected_cells(some_grants, guard):
    """Row number → column → (mask of the grants, mask of the guardrails) or None where nothing may be shown."""
    giving = {
        name: [grant for grant in some_grants if name in grant["columns"] and name not in guard["denied"]] for name in COLUMNS
    }
    useful = [grant for grant in some_grants if any(grant in giving[name] for name in COLUMNS)]
    cells = {}
    for number, row in enumerate(ROWS):
        if not all(MEANING[f](row) for f in guard["filters"]):
            continue
        if not any(all(MEANING[f](row) for f in grant["filters"]) for grant in useful):
            continue
        cells[number] = {}
        for name in (n for n in COLUMNS if giving[n]):
            holding = [g for g in giving[name] if all(MEANING[f](row) for f in g["filters"])]
            masks = {strictest(g["columns"][name]) for g in holding}
            mildest = {m for m in masks if not any(is_milder(other, m) for other in masks)}
            shown = next(iter(mildest)) if len(mildest) == 1 else "replace-with-null"
            cells[number][name] = (shown, guard["masks"].get(name)) if holding else None
    return cells


def is_true(expression, row):
    """Three-valued evaluation; a null is not true. The trees here hold no negation."""
    match expression:
        case Literal(value=value):
            return value is True
        case And(operands=operands):
            return all(is_true(operand, row) for operand in operands)
        case Or(operands=operands):
            return any(is_true(operand, row) for operand in operands)
        case IsNull(operand=Column(name=name)):
            return row[name] is None
        case Compare(operator="=", left=Column(name=name), right=Literal(value=value)):
            return row[name] is not None and row[name] == value
        case In(operand=Column(name=name), values=values):
            return row[name] is not None and row[name] in [it.value for it in values]
        case Compare(operator=">=", left=Column(name=name), right=Literal(value=value)):
            return row[name] is not None and row[name] >= value
    raise AssertionError(expression)


def planned_cells(plan):
    """What a reader executing the plan to the letter would show."""
    cells = {}
    for number, row in enumerate(ROWS):
        if is_true(plan.row_filter, row):
            cells[number] = {}
            for column in plan.columns:
                branch = next((b for b in column.branches if is_true(b.condition, row)), None)
                cells[number][column.name] = None if branch is None else (branch.mask, column.guard_mask)
    return cells


def build(some_grants, guard, columns=None):
    rules = list(inputs(some_grants, guard)) if columns is None else columns
    return build_plan(port="hr.people.staff", principal="user:a", purpose="x", revision=1, columns=rules, filters=FILTERS)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(grants, guards)
def test_every_cell_is_shown_exactly_as_the_grants_and_guardrails_say(some_grants, guard):
    plan = build(some_grants, guard)
    given_columns = {n for grant in some_grants for n in grant["columns"]} - guard["denied"]
    if not given_columns:
        assert isinstance(plan, Denied)
        return
    assert set(plan.hidden_columns) == set(COLUMNS) - given_columns
    assert planned_cells(plan) == expected_cells(some_grants, guard)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(grants, guards, st.randoms(use_true_random=False))
def test_the_order_of_rules_changes_nothing_that_is_served(some_grants, guard, dice):
    plan = build(some_grants, guard)

    def mixed(rules):
        return tuple(dice.sample(rules, len(rules)))

    columns = inputs(some_grants, guard)
    shuffled = [ColumnRules(c.name, mixed(c.allows), c.denied, mixed(c.masks), mixed(c.filters)) for c in columns]
    again = build(some_grants, guard, shuffled)
    assert type(plan) is type(again)
    if not isinstance(plan, Denied):
        assert again == plan
        assert again.digest() == plan.digest()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(grants, guards)
def test_a_plan_without_obligations_shows_every_cell_clear(some_grants, guard):
    plan = build(some_grants, guard)
    if not isinstance(plan, Denied) and not plan.has_obligations:
        assert planned_cells(plan) == {n: dict.fromkeys(COLUMNS, (None, None)) for n in range(len(ROWS))}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(grants, guards)
def test_branches_end_at_the_first_that_always_holds_and_never_repeat(some_grants, guard):
    plan = build(some_grants, guard)
    if isinstance(plan, Denied):
        return
    for column in plan.columns:
        conditions = [branch.condition for branch in column.branches]
        assert TRUE not in conditions[:-1]
        assert len(set(conditions)) == len(conditions)
        clear = [branch for branch in column.branches if branch.mask is None]
        assert column.branches[: len(clear)] == tuple(clear)


# -- mutants of the merge must be caught -------------------------------------------------------------------------------


def random_grants(dice):
    def some(names, most):
        return set(dice.sample(names, dice.randint(0, most)))

    given = [
        {"filters": some(sorted(FILTERS), 2), "columns": {name: some(MASKS, 1) for name in some(COLUMNS, 3)}}
        for _ in range(dice.randint(1, 4))
    ]
    return given, {"filters": some(["team-a", "senior"], 1), "masks": dict.fromkeys(some(COLUMNS, 1), MASKS[0]), "denied": set()}


def differs(wanted=800):
    dice = random.Random(11)
    for _ in range(wanted):
        some_grants, guard = random_grants(dice)
        plan = build(some_grants, guard)
        if isinstance(plan, Denied):
            if any(grant["columns"] for grant in some_grants):
                return True
        elif planned_cells(plan) != expected_cells(some_grants, guard):
            return True
    return False


def test_the_merge_itself_does_not_differ():
    assert not differs()


def test_a_merge_that_ignores_guard_filters_is_caught(monkeypatch):
    monkeypatch.setattr(read_plans, "_row_filter", lambda guards, rows: write(rows))
    assert differs()


def test_a_merge_that_takes_any_filter_of_a_grant_is_caught(monkeypatch):
    honest = read_plans._Merge.conjunction
    monkeypatch.setattr(read_plans._Merge, "conjunction", lambda merge, ids: honest(merge, sorted(ids)[:1]))
    assert differs()


def test_a_merge_that_shows_a_column_on_every_visible_row_is_caught(monkeypatch):
    honest = column_branches.branches_of
    monkeypatch.setattr(read_plans, "branches_of", lambda shares, rows: (Branch(TRUE, honest(shares, rows)[0].mask),))
    assert differs()


def test_a_merge_that_forgets_masks_without_order_is_caught(monkeypatch):
    monkeypatch.setattr(column_branches, "_is_ordered", lambda left, right: True)
    assert differs()


def test_a_merge_that_puts_strict_masks_first_is_caught(monkeypatch):
    monkeypatch.setattr(column_branches, "_strictness", lambda mask: (mask is None, mask or ""))
    assert differs()
