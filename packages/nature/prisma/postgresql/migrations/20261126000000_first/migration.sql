-- Times are milliseconds since the Unix epoch. Text compares by its bytes: COLLATE "C", whatever the database's own collation is. Ids of
-- instances are 20 digits.

-- What is declared. `id` is the order of declaration.
CREATE TABLE meta (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  meta TEXT COLLATE "C" NOT NULL UNIQUE,
  description TEXT NOT NULL,
  states TEXT NOT NULL,
  fields TEXT,
  settings TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  created_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL
);

CREATE TABLE relation (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  from_meta TEXT COLLATE "C" NOT NULL,
  to_meta TEXT COLLATE "C" NOT NULL,
  settings TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  created_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  UNIQUE (from_meta, to_meta)
);

CREATE TABLE instance (
  meta TEXT COLLATE "C" NOT NULL,
  id TEXT COLLATE "C" NOT NULL,
  para TEXT COLLATE "C" NOT NULL,
  version INTEGER NOT NULL,
  content TEXT NOT NULL,
  context TEXT NOT NULL,
  sys_context TEXT NOT NULL,
  states TEXT NOT NULL,
  from_key TEXT COLLATE "C",
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (meta, id, para, version)
);

-- One upstream gives one instance to a line; also finds what came of an upstream.
CREATE UNIQUE INDEX instance_from ON instance (from_key, meta, id, para) WHERE from_key IS NOT NULL;
-- Its condition holds always, and keeps the index from being taken for lookups by key: they begin with the meta as well, and of all
-- instances of a meta one would be looked for.
CREATE INDEX instance_recent ON instance (meta, created_ms) WHERE created_ms >= 0;

-- Missions that are not done. `owner` is the slot of the engine that is at it. Rows come and go all the time: they are vacuumed early.
CREATE TABLE task (
  id BIGINT PRIMARY KEY,
  from_meta TEXT COLLATE "C" NOT NULL,
  from_id TEXT COLLATE "C" NOT NULL,
  from_para TEXT COLLATE "C" NOT NULL,
  from_version INTEGER NOT NULL,
  to_meta TEXT COLLATE "C" NOT NULL,
  mission TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  due_ms BIGINT NOT NULL,
  attempts INTEGER NOT NULL,
  owner BIGINT,
  error TEXT
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

CREATE INDEX task_due ON task (due_ms, id) WHERE owner IS NULL;
-- For what works on an instance: waits for its end, task-checker, removal of old instances. Costs up to 5 us per task.
CREATE INDEX task_from ON task (from_meta, from_id, from_para, from_version);

CREATE TABLE failed_task (
  id BIGINT PRIMARY KEY,
  from_meta TEXT COLLATE "C" NOT NULL,
  from_id TEXT COLLATE "C" NOT NULL,
  from_para TEXT COLLATE "C" NOT NULL,
  from_version INTEGER NOT NULL,
  to_meta TEXT COLLATE "C" NOT NULL,
  mission TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  due_ms BIGINT NOT NULL,
  attempts INTEGER NOT NULL,
  code TEXT NOT NULL,
  error TEXT NOT NULL,
  failed_ms BIGINT NOT NULL
);

CREATE INDEX failed_task_to ON failed_task (to_meta, id);
CREATE INDEX failed_task_from ON failed_task (from_meta, from_id, from_para, from_version);

-- Engines that live, by the clock of the database. A slot is never given twice.
CREATE TABLE engine (
  slot BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_ms BIGINT NOT NULL,
  lease_until_ms BIGINT NOT NULL
);

CREATE TABLE setting (
  name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

INSERT INTO setting (name, value) VALUES ('registry_version', '0'), ('task_block', '0');
