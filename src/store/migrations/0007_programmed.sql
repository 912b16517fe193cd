-- 0007_programmed.sql - version 7 of the schema from version 6.
-- Weights that are programmed onto another chip are runs, too.
-- SPDX-License-Identifier: GPL-3.0-or-later

ALTER TABLE run ADD COLUMN kind TEXT NOT NULL DEFAULT 'trained' CHECK (kind IN ('trained', 'programmed'));
ALTER TABLE run ADD COLUMN parent TEXT;
ALTER TABLE layer_epoch ADD COLUMN w_range REAL;
ALTER TABLE layer_epoch ADD COLUMN w_error REAL;
ALTER TABLE layer_epoch ADD COLUMN clipped REAL;
DROP INDEX run_list;
DROP INDEX run_point;

CREATE INDEX run_list ON run(
  started, id, name, status, seed, epochs_done, wall_s, final_test_acc, best_test_acc,
  best_epoch, train_acc, val_acc, pulses, energy_j, ended, code_version, dataset, topology,
  hidden, neuron, feedback_mode, feedback_scale, settle_method, settle_free, settle_nudged,
  rule, nudge, phases, nudge_error, gradient, optimizer, rate, scheme, device, array,
  read_noise, epochs, batch, kind, parent
);

CREATE INDEX run_point ON run(
  point_hash, id, config_hash, status, final_test_acc, best_test_acc, val_acc, pulses, energy_j,
  wall_s, dataset, topology, hidden, neuron, feedback_mode, feedback_scale, settle_method,
  settle_free, settle_nudged, rule, nudge, phases, nudge_error, gradient, optimizer, rate,
  scheme, device, array, read_noise, epochs, batch, kind
);
