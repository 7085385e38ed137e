"""A Spark job as a domain would run it: reads a published table, writes a Delta table; its listener reports to the mesh."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

home, source, target, url, token = sys.argv[1:]
wanted = ("delta-spark", "delta-storage", "delta-kernel", "unitycatalog", "openlineage-spark")
jars = sorted(str(path) for path in (Path(home) / "jars").iterdir() if path.name.startswith(wanted))
spark = (
    SparkSession.builder.appName("score")
    .master("local[2]")
    .config("spark.jars", ",".join(jars))
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "2")
    .config("spark.databricks.delta.snapshotPartitions", "2")
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.driver.extraJavaOptions", "--add-opens java.base/java.security=ALL-UNNAMED")
    .config("spark.extraListeners", "io.openlineage.spark.agent.OpenLineageSparkListener")
    .config("spark.openlineage.transport.type", "http")
    .config("spark.openlineage.transport.url", url)
    .config("spark.openlineage.transport.auth.type", "api_key")
    .config("spark.openlineage.transport.auth.apiKey", token)
    .config("spark.openlineage.namespace", "spark-risk")
    .getOrCreate()
)
orders = spark.read.format("delta").load(source)
orders.createOrReplaceTempView("orders")
scores = spark.sql(
    "select email as contact, sum(amount) as spent, count(*) as orders from orders where amount > 0 group by email"
)
scores.write.format("delta").mode("overwrite").save(target)
spark.stop()
