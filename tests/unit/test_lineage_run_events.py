"""Run events of publications, held to OpenLineage's own JSON schemas."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from uuid import UUID

import jsonschema
import pytest
from referencing import Registry, Resource

from governance_server.lineage.run_events import Assertion, OutputPort, Publication, run_event
from mesh_core.lineage import ANY_COLUMN, ColumnEdge, InputVersion, PortLineage, RowEdge, Subtype, Transformation
from tests.shared_data import shared_data

LINEAGE = PortLineage(
    target_port="finance.revenue.revenue",
    inputs=(InputVersion("crm.base.customers", 9), InputVersion("sales.orders.orders", 4)),
    edges=(
        ColumnEdge("sales.orders.orders", "amount", "total", Transformation.of(Subtype.AGGREGATION, function="sum")),
        ColumnEdge("sales.orders.orders", "amount", "total", Transformation.of(Subtype.CONDITIONAL)),
        ColumnEdge("sales.orders.orders", "email", "email", Transformation.of(Subtype.IDENTITY, masking=True)),
    ),
    unknown_inputs=("crm.base.customers",),
    row_edges=(
        RowEdge("sales.orders.orders", "region", Transformation.of(Subtype.GROUP_BY)),
        RowEdge("crm.base.customers", ANY_COLUMN, Transformation.of(Subtype.JOIN)),
    ),
)
PUBLICATION = Publication(
    job="finance.revenue",
    run_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    version=12,
    event_time=datetime(2026, 11, 23, 18, 0, tzinfo=UTC),
    outputs=(
        OutputPort(
            "finance.revenue.revenue",
            columns=(("total", "number"), ("email", "string")),
            row_count=42,
            size_bytes=1000,
            assertions=(Assertion("not_null", True, "total"), Assertion("row_count", False)),
            null_counts=(("email", 3),),
        ),
        OutputPort("finance.revenue.notes", columns=(("text", "string"),)),
    ),
    lineages=(LINEAGE, PortLineage("finance.revenue.notes", (), ())),
)


def _event() -> dict:
    return run_event(PUBLICATION)


_FACETS = {
    "schema": "SchemaDatasetFacet",
    "version": "DatasetVersionDatasetFacet",
    "columnLineage": "ColumnLineageDatasetFacet",
    "dataQualityAssertions": "DataQualityAssertionsDatasetFacet",
    "dataQualityMetrics": "DataQualityMetricsDatasetFacet",
    "outputStatistics": "OutputStatisticsOutputDatasetFacet",
    "jobType": "JobTypeJobFacet",
}


def _validator(path: str) -> jsonschema.Draft202012Validator:
    """The schema with the spec's own copy of what it refers to."""
    spec = json.loads(shared_data("openlineage", "spec", "OpenLineage.json").read_text())
    schema = json.loads(shared_data("openlineage", "spec", *path.split("/")).read_text())
    resources = [(s["$id"], Resource.from_contents(s)) for s in (spec, schema)]
    registry = Registry().with_resources([*resources, ("https://openlineage.io/spec/2-0-2/OpenLineage.json", resources[0][1])])
    return jsonschema.Draft202012Validator(schema, registry=registry, format_checker=jsonschema.FormatChecker())


def _facets(event: dict) -> list[tuple[str, dict]]:
    holders = [event["job"]["facets"]]
    for dataset in [*event["inputs"], *event["outputs"]]:
        holders += [dataset.get(key, {}) for key in ("facets", "inputFacets", "outputFacets")]
    return [item for holder in holders for item in holder.items()]


def test_the_event_is_valid_openlineage():
    _validator("OpenLineage.json").validate(json.loads(json.dumps(_event())))


def test_every_facet_is_valid_by_its_own_schema():
    facets = _facets(json.loads(json.dumps(_event())))
    assert {name for name, _ in facets} == set(_FACETS)
    for name, facet in facets:
        _validator(f"facets/{_FACETS[name]}.json").validate({name: facet})
        definition = json.loads(shared_data("openlineage", "spec", "facets", f"{_FACETS[name]}.json").read_text())["$id"]
        assert facet["_schemaURL"].startswith(definition.rpartition("/spec/")[0])


@pytest.mark.parametrize(("holder", "key"), [("event", "job"), ("event", "eventTime"), ("run", "runId"), ("job", "namespace")])
def test_the_schema_check_can_fail(holder, key):
    event = _event()
    del (event if holder == "event" else event[holder])[key]
    assert not _validator("OpenLineage.json").is_valid(event)


def test_the_event_names_job_run_and_versions():
    event = _event()
    assert (event["eventType"], event["run"]["runId"]) == ("COMPLETE", "01890a5d-ac96-774b-bcce-b302099a8057")
    assert (event["job"]["namespace"], event["job"]["name"]) == ("mesh", "finance.revenue")
    assert [(i["name"], i["facets"]["version"]["datasetVersion"]) for i in event["inputs"]] == [
        ("crm.base.customers", "9"),
        ("sales.orders.orders", "4"),
    ]
    assert {o["facets"]["version"]["datasetVersion"] for o in event["outputs"]} == {"12"}


def test_edges_of_one_source_column_are_one_input_field():
    facet = _event()["outputs"][0]["facets"]["columnLineage"]
    (total,) = facet["fields"]["total"]["inputFields"]
    assert (total["namespace"], total["name"], total["field"]) == ("mesh", "sales.orders.orders", "amount")
    assert [(t["type"], t["subtype"], t["description"]) for t in total["transformations"]] == [
        ("DIRECT", "AGGREGATION", "sum"),
        ("INDIRECT", "CONDITIONAL", ""),
    ]
    assert facet["fields"]["email"]["inputFields"][0]["transformations"][0]["masking"] is True


def test_what_decides_the_rows_is_lineage_of_the_dataset():
    facet = _event()["outputs"][0]["facets"]["columnLineage"]
    assert [(f["field"], f["transformations"][0]["subtype"]) for f in facet["dataset"]] == [("region", "GROUP_BY")]


def test_a_port_made_of_nothing_has_no_column_lineage():
    notes = _event()["outputs"][1]
    assert "columnLineage" not in notes["facets"]
    assert notes["outputFacets"] == {}


def test_openlineage_is_imported_on_first_use_only():
    code = "import sys, governance_server.lineage.run_events; sys.exit('openlineage' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
