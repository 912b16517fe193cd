-- 0004_settle_samples.sql - version 4 of the schema from version 3.
-- Energies of phases, and every sample that settles in continuous time.
-- SPDX-License-Identifier: GPL-3.0-or-later

ALTER TABLE settle ADD COLUMN energy_j REAL;

CREATE TABLE settle_sample (
  run_id TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
  phase TEXT NOT NULL,
  sample INTEGER NOT NULL,
  settled INTEGER NOT NULL CHECK (settled IN (0, 1)),
  time_s REAL,
  energy_j REAL,
  PRIMARY KEY (run_id, epoch, phase, sample)
) STRICT, WITHOUT ROWID;
