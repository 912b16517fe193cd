-- 0008_values.sql - version 8 of the schema from version 7.
-- Runs whose targets are values have losses and an rms in place of accuracies, and answers.
-- SPDX-License-Identifier: GPL-3.0-or-later

ALTER TABLE run ADD COLUMN final_test_loss REAL;
ALTER TABLE run ADD COLUMN best_test_loss REAL;
ALTER TABLE run ADD COLUMN val_loss REAL;
ALTER TABLE run ADD COLUMN final_test_rms REAL;
ALTER TABLE run ADD COLUMN best_test_rms REAL;
ALTER TABLE epoch ADD COLUMN test_loss REAL;
ALTER TABLE epoch ADD COLUMN val_loss REAL;
ALTER TABLE epoch ADD COLUMN test_rms REAL;
DROP INDEX run_list;
DROP INDEX run_point;

CREATE INDEX run_list ON run(
  started, id, name, status, seed, epochs_done, wall_s, final_test_acc, best_test_acc,
  best_epoch, train_acc, val_acc, pulses, energy_j, ended, code_version, dataset, topology,
  hidden, neuron, feedback_mode, feedback_scale, settle_method, settle_free, settle_nudged,
  rule, nudge, phases, nudge_error, gradient, optimizer, rate, scheme, device, array,
  read_noise, epochs, batch, kind, parent, final_test_loss, best_test_loss, val_loss,
  final_test_rms, best_test_rms
);

CREATE INDEX run_point ON run(
  point_hash, id, config_hash, status, final_test_acc, best_test_acc, val_acc, pulses, energy_j,
  wall_s, dataset, topology, hidden, neuron, feedback_mode, feedback_scale, settle_method,
  settle_free, settle_nudged, rule, nudge, phases, nudge_error, gradient, optimizer, rate,
  scheme, device, array, read_noise, epochs, batch, kind, final_test_loss, final_test_rms
);

CREATE TABLE prediction (
  run_id TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  sample INTEGER NOT NULL,
  value INTEGER NOT NULL,
  target REAL,
  answer REAL,
  PRIMARY KEY (run_id, sample, value)
) STRICT, WITHOUT ROWID;
