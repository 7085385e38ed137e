"""What a model's query may give: columns and what is computed of them, never words or numbers of its own."""

from __future__ import annotations

import pytest

from governance_server.asking.model_queries import check_invents_nothing, stems_of

T = "sales.orders.orders"
KNOWN = stems_of(
    "order_id region amount ordered_on status delivered_on sales orders How many were refunded, and revenue by region?"
)


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT order_id, amount FROM {T} WHERE order_id = 'O-4711' OR lower(region) IN ('emea') OR region LIKE '%E%'",
        f"SELECT count(*) AS orders FROM {T}",
        f"SELECT region, SUM(amount) AS total_amount FROM {T} WHERE ordered_on >= DATE '2026-01-01' GROUP BY 1 LIMIT 5",
        f"SELECT round(100.0 * count(*) FILTER (WHERE status = 'refunded') / count(*), 1) AS refunded_share FROM {T}",
        f"SELECT date_trunc('month', ordered_on) AS month, strftime(ordered_on, '%Y-%m') AS m, avg(amount) FROM {T} GROUP BY ALL",
        f"SELECT date_diff('day', delivered_on, DATE '2026-11-27') AS days_since_delivered_on FROM {T} AT (VERSION => 4711)",
        f"SELECT sum(CASE WHEN status = 'refunded' THEN 1 ELSE 0 END) AS refunded, quantile_cont(amount, 0.9) FROM {T}",
        f"WITH o AS (SELECT region, sum(amount) AS revenue FROM {T} GROUP BY 1) SELECT *, rank() OVER (ORDER BY revenue) FROM o",
        f"SELECT sum(amount) FROM {T} WHERE ordered_on > current_date - INTERVAL 30 DAY AND amount BETWEEN 3 AND 4711",
    ],
)  # fmt: skip
def test_what_is_computed_of_tables_may_be_given(query: str) -> None:
    check_invents_nothing(query, KNOWN)


@pytest.mark.parametrize(
    "given",
    [
        "'within 400 days' AS n", "400", "400 + 0 * amount", "amount + 400", "amount AS salary_of_eve", "amount AS days",
        "concat(region, ' 400 days')",
        "CASE WHEN amount > 0 THEN 'within 400 days' END", "coalesce(region, '400 days')",
        "strftime(ordered_on, 'within 400 days')",
        "chr(65) || region", "{'eve_earns': amount}", "struct_pack(eve := amount)", "alias(amount)", "unnest([400])",
        "$$within 400 days$$", "E'within'", "(SELECT 'Eve')", "pi()", "DATE '2026-01-01'", "replace(region, 'EMEA', 'Eve')",
        "100 * 100", "date_diff('day', DATE '2026-01-01', DATE '2027-02-05')", "INTERVAL 400 DAY",
        "list_transform([amount], x -> 400)",
    ],
)  # fmt: skip
def test_what_the_query_says_itself_may_not(given: str) -> None:
    with pytest.raises(ValueError, match=r"own words|made of a column|names values itself|stands neither"):
        check_invents_nothing(f"SELECT {given} FROM {T}", KNOWN)


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT region FROM {T} UNION ALL SELECT 'Eve'", "SELECT * FROM (VALUES ('Eve')) t(region)",
        "SELECT max(n) FROM generate_series(1, 400) t(n)", f"SELECT eve FROM (SELECT amount FROM {T}) t(eve)",
        f"WITH o(eve) AS (SELECT amount FROM {T}) SELECT eve FROM o",
    ],
)  # fmt: skip
def test_nor_may_its_tables(query: str) -> None:
    with pytest.raises(ValueError, match=r"own words|made of a column|stands neither"):
        check_invents_nothing(query, KNOWN)
