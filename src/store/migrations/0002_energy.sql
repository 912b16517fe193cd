-- 0002_energy.sql - version 2 of the schema from version 1.
-- What an epoch of training would have taken on hardware, term by term.
-- SPDX-License-Identifier: GPL-3.0-or-later

CREATE TABLE energy_epoch (
  run_id TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
  term TEXT NOT NULL,
  joule REAL,
  seconds REAL,
  count REAL,
  samples REAL,
  PRIMARY KEY (run_id, epoch, term)
) STRICT, WITHOUT ROWID;
