"""What a model's query may give: columns and what is computed of them, never words or numbers of its own."""

from __future__ import annotations

import pytest

from governance_server.asking.model_queries import check_invents_nothing, stems_of

T = "sales.orders.orders"
KNOWN = stems_of(
    "order_id region amount cost paid ordered_on status delivered_on refunds.within sales orders "
    "How many were refunded within 30 weeks in 2026, and revenue by region?"
)
COLUMNS = {
    T: ["order_id", "region", "amount", "cost", "paid", "ordered_on", "status", "delivered_on"], "sales.refunds.made": ["refund"]
}  # fmt: skip
REFUSED = r"own words|made of a column|names values itself|stands neither|another column"


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT order_id, amount FROM {T} WHERE order_id = 'O-4711' OR lower(region) IN ('emea') OR region LIKE '%E%'",
        f"SELECT count(*) AS orders FROM {T}",
        f"SELECT region, SUM(amount) AS total_amount FROM {T} WHERE ordered_on >= DATE '2026-01-01' GROUP BY 1 LIMIT 5",
        f"SELECT round(100.0 * count(*) FILTER (WHERE status = 'refunded') / count(*), 1) AS refunded_share FROM {T}",
        f"SELECT date_trunc('month', ordered_on) AS month, strftime(ordered_on, '%Y-%m') AS m, avg(amount) FROM {T} GROUP BY ALL",
        f"SELECT date_diff('day', delivered_on, current_date) AS days_since_delivered_on FROM {T} AT (VERSION => 4711)",
        f"SELECT sum(CASE WHEN status = 'refunded' THEN 1 ELSE 0 END) AS refunded, quantile_cont(amount, 0.9) FROM {T}",
        f"WITH o AS (SELECT region, sum(amount) AS revenue FROM {T} GROUP BY 1) SELECT *, rank() OVER (ORDER BY revenue) FROM o",
        f"SELECT sum(amount) FROM {T} WHERE ordered_on > current_date - INTERVAL 30 DAY AND amount BETWEEN 3 AND 4711",
        f"SELECT order_id FROM {T} WHERE ordered_on >= current_date - 30",
        f"SELECT order_id FROM {T} WHERE ordered_on > DATE '2024-01-01' - INTERVAL '7 days' AND paid = TRUE AND TRUE",
        f"SELECT region FROM {T} GROUP BY region HAVING sum(amount) > 2 * 50",
        f"SELECT substr(cast(ordered_on AS text), 1, 7) AS month, count(*) FROM {T} GROUP BY 1 ORDER BY 2 DESC LIMIT 5 OFFSET 5",
        f"SELECT left(region, 2) AS region, split_part(region, '-', 1), amount::DECIMAL(10, 2) AS amount FROM {T} GROUP BY ALL",
        f"SELECT count_if(amount > 100), count(*) FILTER (WHERE region = 'EMEA'), count(1), count(DISTINCT region) FROM {T}",
        f"SELECT avg(CASE WHEN status = 'refunded' THEN 1.0 ELSE 0 END) * 100 AS refunded_percent FROM {T}",
        f"SELECT avg(if(paid, 1, 0)) OVER () * 100 FROM {T}",
        f"SELECT sum(if(paid, 1, 0)), sum(CASE WHEN paid THEN amount ELSE 0 END) AS amount_paid FROM {T}",
        f"SELECT sum(CASE status WHEN 'paid' THEN 1 END) * 1.0 / count(*) AS share, sum(amount) / nullif(count(*), 0) FROM {T}",
        f"SELECT round(sum(amount) / sum(cost) * 100, 1) AS ratio, 100 * (sum(cost) / sum(amount)) AS percent FROM {T}",
        f"SELECT region, 100.0 * sum(amount) / sum(sum(amount)) OVER () AS share FROM {T} GROUP BY region",
        f"SELECT CASE WHEN amount > 400 THEN region END AS region, amount > 400 AS amount_paid, region LIKE 'E%' FROM {T}",
        f"SELECT avg(amount) OVER (ORDER BY ordered_on ROWS BETWEEN 6 PRECEDING AND CURRENT ROW), lag(amount, 2) OVER w "
        f"FROM {T} WINDOW w AS (ORDER BY ordered_on)",
        f"SELECT date_part('year', ordered_on) AS year, extract(month FROM ordered_on) AS month, year(ordered_on) FROM {T}",
        f"SELECT DISTINCT ON (region) region, amount FROM {T} QUALIFY row_number() OVER (PARTITION BY region ORDER BY 1) <= 3",
        f"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount), quantile_cont(amount, [0.25, 0.75]), median(cost) FROM {T}",
        f"SELECT order_id FROM {T} o WHERE EXISTS (SELECT 1 FROM sales.refunds.made r WHERE r.refund = o.order_id AND 5 > 4)",
        f"SELECT o.region FROM {T} o JOIN {T} p ON o.order_id = p.order_id AND p.region = 'EMEA' AND p.amount > 3 + 4",
        f"SELECT region FROM {T} UNION ALL SELECT region FROM {T} WHERE amount > 5 ORDER BY 1 LIMIT 3",
        f"SELECT amount, cost FROM {T} UNION ALL BY NAME SELECT cost, amount FROM {T}",
        f"SELECT * FROM {T} UNION ALL SELECT * FROM {T}", f"SELECT region AS refund FROM {T}",
        f"SELECT sum(amount) AS amount, max(o.amount) AS Amount, amount - cost AS revenue FROM {T} o GROUP BY ALL",
        f"WITH o(region, amount) AS (SELECT region, sum(amount) FROM {T} GROUP BY 1) SELECT max(amount) AS amount_2026 FROM o",
        f"SELECT list_filter(list(amount), x -> x > 400) AS amount FROM {T} USING SAMPLE 10",
        f"SELECT (SELECT max(amount) FROM {T} WHERE cost > 4) AS amount, current_date - ordered_on AS days FROM {T}",
    ],
)  # fmt: skip
def test_what_is_computed_of_tables_may_be_given(query: str) -> None:
    check_invents_nothing(query, KNOWN, COLUMNS)


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
        'coalesce(INTERVAL 400 DAY, ordered_on - ordered_on) AS "refund within"',
        """coalesce(date_diff('day', DATE '2000-01-01', DATE '2001-02-04'), amount) AS "refund days" """,
        "coalesce(year(DATE '0400-01-01'), amount) AS amount", "max(ordered_on) + INTERVAL 400 DAY AS ordered_on",
        "greatest(date_trunc('year', DATE '2099-01-01'), max(ordered_on)) AS d", "coalesce(TRUE, paid) AS paid",
        "amount * 1000 AS amount", "cost AS amount", "amount / 100", "amount * 100 AS amount", "100 * 100 * amount / cost",
        "amount / (100 * cost)", "amount * 1 * 5", "amount * (1 * 1)", "1 - amount / cost", "amount / 1", "-400 + amount",
        "avg(amount) * 100", "100 * (CASE WHEN paid THEN amount END)",
        "paid OR TRUE", "coalesce(1 = 1, paid) AS paid", "CASE WHEN paid THEN amount ELSE 400 END", "if(paid, 1, 0)",
        "coalesce(amount, 0) AS amount", "max(CASE WHEN paid THEN 1 ELSE 0 END)", "sum(CASE WHEN paid THEN 400 ELSE 0 END)",
        "avg(CASE WHEN TRUE THEN 1 END)", "sum(400)", "nullif(400, amount)",
        "CASE amount WHEN 1 THEN 'x' END", "case when paid then 'text' end",
        "ordered_on + 30", "date_add(ordered_on, INTERVAL 30 DAY)", "ordered_on + to_days(400)",
        "date_part(region, DATE '2099-01-01')",
        "date_diff('day', ordered_on, DATE '2099-01-01')", "strftime(DATE '2099-01-01', '%Y')", "substr('400 days', 1, amount)",
        "round(400, amount)", "lag(amount, 1, 400) OVER (ORDER BY cost)", "string_agg(region, ' within 400 days ')",
        "[amount, 400]", "list_value(400, amount)", "{'amount': 400}", "MAP {'amount': amount}", "unnest([amount, 400])",
        "row(400, amount)", "t::STRUCT(eve_earns INT)", "enum_first(NULL::ENUM('400 days'))",
        "typeof(cast(amount AS DECIMAL(30, 2)))",
        "coalesce(pi(), amount)", "coalesce(random(), amount)", "coalesce(uuid(), region)",
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY 400 + amount - amount)", "mode() WITHIN GROUP (ORDER BY 400), amount",
        "quantile_cont(400, 0.5), amount", "* REPLACE (400 AS amount)", "* REPLACE (cost AS amount)", "* RENAME (cost AS amount)",
        "amount > (SELECT 400)", "coalesce((SELECT 400), amount)", "(SELECT max(amount) + 400 FROM sales.refunds.made)",
        "amount IN (SELECT cost * 2 FROM sales.refunds.made)", "cost AS Amounts", "cost AS \"AMOUNT\"", "cost + amount AS amount",
        "count(*) AS amount", "rank() OVER (ORDER BY amount) AS amount", "CASE WHEN amount > 0 THEN cost END AS amount",
        'amount AS "refunded within 400"', "amount AS refunded_7", "regexp_replace(region, 'E', 'Eve')", "lpad(region, 9, 'Eve')",
        "format('{} days', amount)", "region || ' ' || status", "amount: 400", "any_value(400 + amount)",
    ],
)  # fmt: skip
def test_what_the_query_says_itself_may_not(given: str) -> None:
    with pytest.raises(ValueError, match=REFUSED):
        check_invents_nothing(f"SELECT {given} FROM {T}", KNOWN, COLUMNS)


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT region FROM {T} UNION ALL SELECT 'Eve'", "SELECT * FROM (VALUES ('Eve')) t(region)",
        "SELECT max(n) FROM generate_series(1, 400) t(n)", f"SELECT eve FROM (SELECT amount FROM {T}) t(eve)",
        f"WITH o(eve) AS (SELECT amount FROM {T}) SELECT eve FROM o",
        f"SELECT region FROM {T} UNION ALL SELECT coalesce('Eve', region) FROM {T}", "VALUES ('Eve')",
        f"SELECT region FROM {T} WHERE region IN (SELECT coalesce('Eve', region) FROM {T})",
        f"SELECT region FROM {T} GROUP BY 1 HAVING max(amount) > (SELECT max(cost) * 400 FROM {T})",
        f"SELECT amount, n FROM {T}, unnest([400]) u(n)", f"SELECT amount, max(n) FROM {T} JOIN (VALUES (400)) u(n) ON TRUE",
        f"SELECT amount FROM (SELECT coalesce(400, amount) AS amount FROM {T})", f"SELECT amount FROM range(400) u(amount), {T}",
        f"WITH o AS (SELECT cost AS amount FROM {T}) SELECT amount FROM o",
        f"SELECT amount FROM {T} UNION ALL SELECT cost FROM {T}",
        f"WITH o(amount) AS (SELECT cost FROM {T}) SELECT amount FROM o", f"SELECT amount FROM (SELECT cost FROM {T}) o(amount)",
        f"SELECT cost FROM {T} AS o(amount, cost)", f"SELECT amount, cost FROM {T} UNION SELECT * FROM {T}",
        f"SELECT * FROM {T} UNION ALL SELECT amount, cost FROM {T}",
        f"SELECT amount AS days FROM {T} WHERE year(ordered_on) = 2026",
        f"SELECT o.cost AS amount FROM {T} o JOIN {T} p USING (order_id)",
        f"WITH o(region, amount) AS (SELECT * FROM {T}) FROM o",
    ],
)  # fmt: skip
def test_nor_may_its_tables(query: str) -> None:
    with pytest.raises(ValueError, match=REFUSED):
        check_invents_nothing(query, KNOWN, COLUMNS)
