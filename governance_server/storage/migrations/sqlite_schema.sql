CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE head (
    id INTEGER NOT NULL,
    revision BIGINT NOT NULL,
    hash BLOB NOT NULL,
    time_us BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE kind_head (
    kind TEXT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (kind)
);

CREATE TABLE change (
    revision INTEGER NOT NULL,
    time_us BIGINT NOT NULL,
    principal TEXT NOT NULL,
    request_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    body_digest BLOB NOT NULL,
    PRIMARY KEY (revision)
);

CREATE TABLE payload (
    revision INTEGER NOT NULL,
    body BLOB,
    PRIMARY KEY (revision)
);

CREATE TABLE change_kind (
    kind TEXT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (kind, revision)
);

CREATE TABLE request (
    principal TEXT NOT NULL,
    request_id TEXT NOT NULL,
    request_digest BLOB NOT NULL,
    reply BLOB NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (principal, request_id)
);

CREATE TABLE resource (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    from_revision BIGINT NOT NULL,
    to_revision BIGINT,
    domain TEXT NOT NULL,
    body BLOB,
    PRIMARY KEY (kind, name, from_revision)
);

CREATE UNIQUE INDEX resource_current ON resource (kind, name) WHERE to_revision IS NULL;

CREATE INDEX resource_domain ON resource (kind, domain, name, from_revision, to_revision);

CREATE TABLE lease (
    name TEXT NOT NULL,
    holder TEXT NOT NULL,
    expires_at_us BIGINT NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE event (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    received_at_us BIGINT NOT NULL,
    hash BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (stream, sequence)
);

CREATE TABLE stream_head (
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    hash BLOB NOT NULL,
    pruned_sequence BIGINT NOT NULL,
    pruned_hash BLOB NOT NULL,
    PRIMARY KEY (stream)
);

INSERT INTO head (id, revision, hash, time_us) VALUES (1, 0, x'0000000000000000000000000000000000000000000000000000000000000000', 0);

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING version_num;

-- Running upgrade 0001 -> 0002

CREATE TABLE decision (
    sequence BIGINT NOT NULL,
    resource TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    principal TEXT NOT NULL,
    kind BIGINT NOT NULL,
    outcome BIGINT NOT NULL,
    PRIMARY KEY (sequence, resource)
);

CREATE INDEX decision_time ON decision (time_us, sequence);

CREATE INDEX decision_principal ON decision (principal, sequence);

CREATE INDEX decision_resource ON decision (resource, sequence);

CREATE TABLE checkpoint (
    number INTEGER NOT NULL,
    stream TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    hash BLOB NOT NULL,
    time_us BIGINT NOT NULL,
    cause BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (number)
);

CREATE INDEX checkpoint_stream ON checkpoint (stream, sequence);

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';

-- Running upgrade 0002 -> 0003

CREATE TABLE identity_issue (
    identity TEXT NOT NULL,
    issued_at_us BIGINT NOT NULL,
    PRIMARY KEY (identity)
);

UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';

-- Running upgrade 0003 -> 0004

ALTER TABLE event ADD COLUMN body_digest BLOB;

CREATE TABLE lineage_run (
    "key" TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    namespace TEXT NOT NULL,
    job TEXT NOT NULL,
    run_id TEXT NOT NULL,
    state TEXT NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    parent TEXT NOT NULL,
    job_version TEXT NOT NULL,
    last_sequence BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY ("key")
);

CREATE INDEX lineage_run_job ON lineage_run (namespace, job, first_us);

CREATE INDEX lineage_run_id ON lineage_run (run_id);

CREATE INDEX lineage_run_time ON lineage_run (last_us);

CREATE TABLE lineage_io (
    "key" TEXT NOT NULL,
    side TEXT NOT NULL,
    node TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY ("key", side, node)
);

CREATE INDEX lineage_io_node ON lineage_io (node, side);

CREATE TABLE lineage_output (
    "key" TEXT NOT NULL,
    target TEXT NOT NULL,
    namespace TEXT NOT NULL,
    job TEXT NOT NULL,
    digest TEXT NOT NULL,
    weight BIGINT NOT NULL,
    replaces BIGINT NOT NULL,
    first_ns BIGINT NOT NULL,
    PRIMARY KEY ("key", target)
);

CREATE INDEX lineage_output_job ON lineage_output (namespace, job, target, weight, digest);

CREATE TABLE lineage_evidence (
    digest TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (digest)
);

CREATE TABLE lineage_due (
    namespace TEXT NOT NULL,
    job TEXT NOT NULL,
    target TEXT NOT NULL,
    principal TEXT NOT NULL,
    PRIMARY KEY (namespace, job, target)
);

CREATE TABLE lineage_summary (
    namespace TEXT NOT NULL,
    job TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    runs BIGINT NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    PRIMARY KEY (namespace, job, owner, state)
);

UPDATE alembic_version SET version_num='0004' WHERE alembic_version.version_num = '0003';

-- Running upgrade 0004 -> 0005

DROP TABLE decision;

CREATE TABLE decision (
    sequence INTEGER NOT NULL,
    resource TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    principal TEXT NOT NULL,
    kind BIGINT NOT NULL,
    outcome BIGINT NOT NULL,
    PRIMARY KEY (sequence)
);

CREATE INDEX decision_time ON decision (time_us, sequence);

CREATE INDEX decision_principal ON decision (principal, sequence);

CREATE INDEX decision_resource ON decision (resource, sequence);

CREATE TABLE decision_topics (
    sequence INTEGER NOT NULL,
    topics TEXT NOT NULL,
    PRIMARY KEY (sequence)
);

UPDATE alembic_version SET version_num='0005' WHERE alembic_version.version_num = '0004';

-- Running upgrade 0005 -> 0006

CREATE TABLE answer (
    id TEXT NOT NULL,
    principal TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX answer_time ON answer (time_us);

UPDATE alembic_version SET version_num='0006' WHERE alembic_version.version_num = '0005';

-- Running upgrade 0006 -> 0007

CREATE TABLE listing (
    kind TEXT NOT NULL,
    "key" TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (kind, "key", name)
);

CREATE INDEX listing_resource ON listing (kind, name);

UPDATE alembic_version SET version_num='0007' WHERE alembic_version.version_num = '0006';

-- Running upgrade 0007 -> 0008

CREATE TABLE turn (
    answer_id TEXT NOT NULL,
    product TEXT NOT NULL,
    principal TEXT NOT NULL,
    conversation TEXT NOT NULL,
    feedback BLOB NOT NULL,
    position BIGINT NOT NULL,
    is_waiting BIGINT NOT NULL,
    time_us BIGINT NOT NULL,
    PRIMARY KEY (answer_id)
);

CREATE INDEX turn_waiting ON turn (product, is_waiting, position);

CREATE INDEX turn_position ON turn (position);

CREATE INDEX turn_time ON turn (time_us);

UPDATE alembic_version SET version_num='0008' WHERE alembic_version.version_num = '0007';

-- Running upgrade 0008 -> 0009

UPDATE alembic_version SET version_num='0009' WHERE alembic_version.version_num = '0008';

-- Running upgrade 0009 -> 0010

CREATE TABLE lineage_run_past (
    "key" TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    state TEXT NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    parent TEXT NOT NULL,
    job_version TEXT NOT NULL,
    io TEXT NOT NULL,
    PRIMARY KEY ("key", sequence)
);

UPDATE alembic_version SET version_num='0010' WHERE alembic_version.version_num = '0009';

-- Running upgrade 0010 -> 0011

ALTER TABLE lineage_io RENAME TO lineage_io_old;

CREATE TABLE lineage_io (
    "key" TEXT NOT NULL,
    side TEXT NOT NULL,
    node TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY ("key", side, node)
)
 WITHOUT ROWID;

INSERT INTO lineage_io ("key", "side", "node", "version") SELECT "key", "side", "node", "version" FROM lineage_io_old;

DROP TABLE lineage_io_old;

CREATE INDEX lineage_io_node ON lineage_io (node, side);

ALTER TABLE lineage_output RENAME TO lineage_output_old;

CREATE TABLE lineage_output (
    "key" TEXT NOT NULL,
    target TEXT NOT NULL,
    namespace TEXT NOT NULL,
    job TEXT NOT NULL,
    digest TEXT NOT NULL,
    weight BIGINT NOT NULL,
    replaces BIGINT NOT NULL,
    first_ns BIGINT NOT NULL,
    PRIMARY KEY ("key", target)
)
 WITHOUT ROWID;

INSERT INTO lineage_output ("key", "target", "namespace", "job", "digest", "weight", "replaces", "first_ns") SELECT "key", "target", "namespace", "job", "digest", "weight", "replaces", "first_ns" FROM lineage_output_old;

DROP TABLE lineage_output_old;

CREATE INDEX lineage_output_job ON lineage_output (namespace, job, target, weight, digest);

ALTER TABLE lineage_run_past RENAME TO lineage_run_past_old;

CREATE TABLE lineage_run_past (
    "key" TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    state TEXT NOT NULL,
    first_us BIGINT NOT NULL,
    last_us BIGINT NOT NULL,
    parent TEXT NOT NULL,
    job_version TEXT NOT NULL,
    io TEXT NOT NULL,
    PRIMARY KEY ("key", sequence)
)
 WITHOUT ROWID;

INSERT INTO lineage_run_past ("key", "sequence", "state", "first_us", "last_us", "parent", "job_version", "io") SELECT "key", "sequence", "state", "first_us", "last_us", "parent", "job_version", "io" FROM lineage_run_past_old;

DROP TABLE lineage_run_past_old;

UPDATE alembic_version SET version_num='0011' WHERE alembic_version.version_num = '0010';
