-- Times are milliseconds since the Unix epoch. Text compares by its bytes, which is SQLite's own way. Ids of instances are 20 digits.

-- What is declared. `id` is the order of declaration.
CREATE TABLE meta (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  meta TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  states TEXT NOT NULL,
  fields TEXT,
  settings TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE relation (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  from_meta TEXT NOT NULL,
  to_meta TEXT NOT NULL,
  settings TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL,
  UNIQUE (from_meta, to_meta)
) STRICT;

-- Instances lie in the order of their coming, the key is an index beside them. WITHOUT ROWID, the rows themselves would lie in the order of
-- the keys, which are hashes: measured, that costs 15 to 30 % more per insert, with an empty table and with a million rows.
CREATE TABLE instance (
  row INTEGER PRIMARY KEY,
  meta TEXT NOT NULL,
  id TEXT NOT NULL,
  para TEXT NOT NULL,
  version INTEGER NOT NULL,
  content TEXT NOT NULL,
  context TEXT NOT NULL,
  sys_context TEXT NOT NULL,
  states TEXT NOT NULL,
  from_key TEXT,
  from_ref INTEGER,
  created_ms INTEGER NOT NULL,
  UNIQUE (meta, id, para, version)
) STRICT;

-- Finds what came of an upstream, by the number of its row (sqlite-sources.ts). That one upstream gives one instance to a line is looked at
-- by the only writer.
CREATE INDEX instance_from ON instance (from_ref) WHERE from_ref IS NOT NULL;
CREATE INDEX instance_recent ON instance (meta, created_ms);

-- Missions that are not done. `owner` is the slot of the engine that is at it.
CREATE TABLE task (
  id INTEGER PRIMARY KEY,
  from_meta TEXT NOT NULL,
  from_id TEXT NOT NULL,
  from_para TEXT NOT NULL,
  from_version INTEGER NOT NULL,
  to_meta TEXT NOT NULL,
  mission TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  owner INTEGER,
  error TEXT
) STRICT;

-- The only index besides the primary key: every other costs each task twice, when it comes and when it goes (measured: a third of a unit).
CREATE INDEX task_due ON task (due_ms, id) WHERE owner IS NULL;

CREATE TABLE failed_task (
  id INTEGER PRIMARY KEY,
  from_meta TEXT NOT NULL,
  from_id TEXT NOT NULL,
  from_para TEXT NOT NULL,
  from_version INTEGER NOT NULL,
  to_meta TEXT NOT NULL,
  mission TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  code TEXT NOT NULL,
  error TEXT NOT NULL,
  failed_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX failed_task_to ON failed_task (to_meta, id);

-- Engines that live. A slot is never given twice.
CREATE TABLE engine (
  slot INTEGER PRIMARY KEY AUTOINCREMENT,
  started_ms INTEGER NOT NULL,
  lease_until_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE setting (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO setting (name, value) VALUES ('registry_version', '0'), ('task_block', '0');
