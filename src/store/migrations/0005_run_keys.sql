-- 0005_run_keys.sql - version 5 of the schema from version 4.
-- The main keys of the config are ordinary columns of a run, so that indices can hold them;
-- and histograms of conductances.
-- SPDX-License-Identifier: GPL-3.0-or-later

ALTER TABLE layer_epoch ADD COLUMN g_hist TEXT;
DROP VIEW v_run;
DROP VIEW v_study;

CREATE TABLE run_new (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 31 AND id NOT GLOB '*[^0-9A-Za-z]*'),
  name TEXT,
  status TEXT NOT NULL CHECK (status IN ('running', 'completed', 'interrupted', 'failed', 'diverged')),
  config_hash TEXT NOT NULL,
  point_hash TEXT NOT NULL,
  defaults_version INTEGER NOT NULL,
  seed INTEGER NOT NULL,
  data_checksum TEXT NOT NULL,
  code_version TEXT NOT NULL,
  blas TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  started TEXT NOT NULL CHECK (started GLOB '????-??-??T??:??:??*Z'),
  ended TEXT CHECK (ended GLOB '????-??-??T??:??:??*Z'),
  wall_s REAL,
  epochs_done INTEGER NOT NULL,
  final_test_acc REAL,
  best_test_acc REAL,
  best_epoch INTEGER NOT NULL,
  train_acc REAL,
  val_acc REAL,
  pulses REAL,
  energy_j REAL,
  error TEXT,
  dataset TEXT,
  topology TEXT,
  hidden TEXT,
  neuron TEXT,
  feedback_mode TEXT,
  feedback_scale ANY,
  settle_method TEXT,
  settle_free ANY,
  settle_nudged ANY,
  rule TEXT,
  nudge ANY,
  phases TEXT,
  nudge_error TEXT,
  gradient TEXT,
  optimizer TEXT,
  rate ANY,
  scheme TEXT,
  device TEXT,
  array TEXT,
  read_noise ANY,
  epochs ANY,
  batch ANY,
  config TEXT NOT NULL CHECK (json_valid(config))
) STRICT;

INSERT INTO run_new(
  id, name, status, config_hash, point_hash, defaults_version, seed, data_checksum,
  code_version, blas, host, pid, started, ended, wall_s, epochs_done, final_test_acc,
  best_test_acc, best_epoch, train_acc, val_acc, pulses, energy_j, error, dataset, topology,
  hidden, neuron, feedback_mode, feedback_scale, settle_method, settle_free, settle_nudged,
  rule, nudge, phases, nudge_error, gradient, optimizer, rate, scheme, device, array,
  read_noise, epochs, batch, config
)
SELECT
  id, name, status, config_hash, point_hash, defaults_version, seed, data_checksum,
  code_version, blas, host, pid, started, ended, wall_s, epochs_done, final_test_acc,
  best_test_acc, best_epoch, train_acc, val_acc, pulses, energy_j, error, dataset, topology,
  hidden, neuron, feedback_mode, feedback_scale, settle_method, settle_free, settle_nudged,
  rule, nudge, phases, nudge_error, gradient, optimizer, rate, scheme, device, array,
  read_noise, epochs, batch, config
FROM run;
DROP TABLE run;
ALTER TABLE run_new RENAME TO run;

CREATE TRIGGER run_keys AFTER INSERT ON run BEGIN
  UPDATE run SET
    dataset = json_extract(new.config, '$.dataset.name'),
    topology = json_extract(new.config, '$.network.topology'),
    hidden = json_extract(new.config, '$.network.hidden'),
    neuron = json_extract(new.config, '$.network.neuron'),
    feedback_mode = json_extract(new.config, '$.feedback.mode'),
    feedback_scale = json_extract(new.config, '$.feedback.scale'),
    settle_method = json_extract(new.config, '$.settle.method'),
    settle_free = json_extract(new.config, '$.settle.free'),
    settle_nudged = json_extract(new.config, '$.settle.nudged'),
    rule = json_extract(new.config, '$.rule.name'),
    nudge = json_extract(new.config, '$.rule.nudge'),
    phases = json_extract(new.config, '$.rule.phases'),
    nudge_error = json_extract(new.config, '$.rule.error'),
    gradient = json_extract(new.config, '$.rule.gradient'),
    optimizer = json_extract(new.config, '$.update.optimizer'),
    rate = json_extract(new.config, '$.update.rate'),
    scheme = json_extract(new.config, '$.update.scheme'),
    device = json_extract(new.config, '$.device.model'),
    array = json_extract(new.config, '$.array.model'),
    read_noise = json_extract(new.config, '$.array.read_noise'),
    epochs = json_extract(new.config, '$.train.epochs'),
    batch = json_extract(new.config, '$.train.batch')
  WHERE id = new.id;
END;
CREATE INDEX run_name ON run(name, started, id);
CREATE INDEX run_config_hash ON run(config_hash, status, id);

CREATE INDEX run_list ON run(
  started, id, name, status, seed, epochs_done, wall_s, final_test_acc, best_test_acc,
  best_epoch, train_acc, val_acc, pulses, energy_j, ended, code_version, dataset, topology,
  hidden, neuron, feedback_mode, feedback_scale, settle_method, settle_free, settle_nudged,
  rule, nudge, phases, nudge_error, gradient, optimizer, rate, scheme, device, array,
  read_noise, epochs, batch
);

CREATE INDEX run_point ON run(
  point_hash, id, config_hash, status, final_test_acc, best_test_acc, val_acc, pulses, energy_j,
  wall_s, dataset, topology, hidden, neuron, feedback_mode, feedback_scale, settle_method,
  settle_free, settle_nudged, rule, nudge, phases, nudge_error, gradient, optimizer, rate,
  scheme, device, array, read_noise, epochs, batch
);
