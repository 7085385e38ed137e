from governance_server.rules.read_plans import Branch, ColumnPlan, ReadPlan, fit_masks
from mesh_core.expressions.tree import TRUE
from mesh_core.masks import Mask


def plan(**masks: Mask | None) -> ReadPlan:
    columns = tuple(ColumnPlan(name, (Branch(TRUE, None),), mask) for name, mask in masks.items())
    return ReadPlan("a.b.c", "user:ana", "", 1, TRUE, columns, (), ())


def test_a_mask_that_is_not_defined_for_a_type_becomes_null_and_the_others_stay():
    given = plan(born=Mask.SHA_256_GLOBAL, mail=Mask.SHA_256_GLOBAL, height=None)
    fitted = fit_masks(given, {"born": "date", "mail": "string", "height": "number"})
    assert [column.guard_mask for column in fitted.columns] == [Mask.REPLACE_WITH_NULL, Mask.SHA_256_GLOBAL, None]


def test_a_column_of_unknown_type_shows_nothing_under_any_mask():
    fitted = fit_masks(plan(odd=Mask.SHOW_LAST_4), {})
    assert fitted.columns[0].guard_mask is Mask.REPLACE_WITH_NULL
