-- 0010_control.sql - version 10 of the schema from version 9.
-- What a controller makes neurons do.
-- SPDX-License-Identifier: GPL-3.0-or-later

CREATE TABLE control (
  run_id TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
  layer INTEGER NOT NULL,
  name TEXT NOT NULL,
  size REAL,
  cosine REAL,
  cosine_least REAL,
  condition REAL,
  growth REAL,
  residual REAL,
  unsettled REAL,
  PRIMARY KEY (run_id, epoch, layer)
) STRICT, WITHOUT ROWID;
