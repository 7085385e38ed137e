"""A DAG as a domain would write it: two tasks of SQL on PostgreSQL, and one of Python that says what it reads and writes."""

import os
from datetime import datetime
from pathlib import Path

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG, Asset, task

FOLDER = os.environ["SHOP_FILES"]

with DAG("shop", start_date=datetime(2026, 1, 1), schedule=None):
    load = SQLExecuteQueryOperator(
        task_id="load",
        conn_id="shop",
        sql=[
            "create table orders (id int, customer text, amount int)",
            "insert into orders values (1, 'ana', 10), (2, 'ben', 20)",
        ],
    )
    revenue = SQLExecuteQueryOperator(
        task_id="revenue",
        conn_id="shop",
        sql="create table revenue as select customer as buyer, sum(amount) as total from orders group by customer",
    )

    @task(inlets=[Asset(f"file://{FOLDER}/in.csv")], outlets=[Asset(f"file://{FOLDER}/out.csv")])
    def export() -> None:
        """The file is copied, by means that nobody sees."""
        Path(FOLDER, "out.csv").write_bytes(Path(FOLDER, "in.csv").read_bytes())

    load >> revenue >> export()
