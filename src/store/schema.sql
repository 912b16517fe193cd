-- schema.sql - the run database as a new one is made; open.c says how an older one gets here.
-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- Dates are ISO 8601 UTC text. NULL: not known (yet), or not asked for. Accuracies and fractions are 0 to 1.
-- SQLite keeps the comments inside a statement, so that any tool's schema view shows them.

PRAGMA application_id = 0x6d686f31; -- "mho1"
PRAGMA user_version = 11;

CREATE TABLE run (
  id               TEXT NOT NULL PRIMARY KEY
                   CHECK (length(id) BETWEEN 1 AND 31 AND id NOT GLOB '*[^0-9A-Za-z]*'), -- sorts by time
  name             TEXT,                     -- the user's; need not be unique
  status           TEXT NOT NULL CHECK (status IN ('running', 'completed', 'interrupted', 'failed', 'diverged')),
  config_hash      TEXT NOT NULL,            -- SHA-256 of what was set away from the defaults, seeds included
  point_hash       TEXT NOT NULL,            -- SHA-256 of config without seeds, data and kind: see v_study
  defaults_version INTEGER NOT NULL,         -- of the defaults that config_hash is relative to
  seed             INTEGER NOT NULL,         -- train.seed; the other seeds follow from it unless in config
  data_checksum    TEXT NOT NULL,            -- SHA-256 of the dataset
  code_version     TEXT NOT NULL,            -- of mho
  blas             TEXT NOT NULL,            -- kernel of the matrix products
  host             TEXT NOT NULL,            -- machine that trains it
  pid              INTEGER NOT NULL,         -- process that trains it
  started          TEXT NOT NULL CHECK (started GLOB '????-??-??T??:??:??*Z'),
  ended            TEXT CHECK (ended GLOB '????-??-??T??:??:??*Z'),
  wall_s           REAL,                     -- s, of all sessions
  epochs_done      INTEGER NOT NULL,
  final_test_acc   REAL,                     -- test accuracy after the last epoch
  best_test_acc    REAL,                     -- after best_epoch
  best_epoch       INTEGER NOT NULL,         -- 0: none
  train_acc        REAL,                     -- training accuracy of the last epoch
  val_acc          REAL,                     -- validation accuracy after the last epoch
  pulses           REAL,                     -- programming pulses so far
  energy_j         REAL,                     -- J, so far
  error            TEXT,                     -- why it failed
  -- The config's main keys: the trigger run_keys copies them out of config. (Not generated columns: with those SQLite 3.40
  -- reads whole rows where an index has all that is asked for.) Numbers are ANY, so that no config is ever refused.
  dataset          TEXT,
  topology         TEXT,
  hidden           TEXT,                     -- JSON list: '[512,512]'
  neuron           TEXT,
  feedback_mode    TEXT,
  feedback_scale   ANY,                      -- beta_i
  settle_method    TEXT,
  settle_free      ANY,                      -- steps or sweeps, free phase
  settle_nudged    ANY,                      -- the same, nudged phase
  rule             TEXT,
  nudge            ANY,                      -- beta_f
  phases           TEXT,
  nudge_error      TEXT,                     -- held or live
  gradient         TEXT,
  optimizer        TEXT,
  rate             ANY,
  scheme           TEXT,
  device           TEXT,
  array            TEXT,
  read_noise       ANY,
  epochs           ANY,                      -- wanted; epochs_done: had
  batch            ANY,                      -- samples
  -- last, so that a long one does not stand between a scan and the columns above
  config           TEXT NOT NULL CHECK (json_valid(config)),                  -- JSON, every key resolved
  kind             TEXT NOT NULL DEFAULT 'trained'
                   CHECK (kind IN ('trained', 'programmed')), -- programmed: by mho program
  parent           TEXT,                     -- run that a programmed one has its weights from
  -- in place of accuracies where targets are values:
  final_test_loss  REAL,                     -- half the squared error of a test sample after the last epoch
  best_test_loss   REAL,                     -- after best_epoch
  val_loss         REAL,                     -- of the validation samples after the last epoch
  final_test_rms   REAL,                     -- root of the mean squared error of the test, in the targets' own unit
  best_test_rms    REAL                      -- after best_epoch
) STRICT;
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
-- Nine tenths of a row are its config. So that lists of runs, with any condition on the columns of v_run, and the averages
-- of v_study need not read past it, two indices hold all other columns that are asked for: by time, and by grid point.
CREATE INDEX run_list ON run(started, id, name, status, seed, epochs_done, wall_s, final_test_acc, best_test_acc,
                             best_epoch, train_acc, val_acc, pulses, energy_j, ended, code_version,
                             dataset, topology, hidden, neuron, feedback_mode, feedback_scale,
                             settle_method, settle_free, settle_nudged, rule, nudge, phases, nudge_error, gradient,
                             optimizer, rate, scheme, device, array, read_noise, epochs, batch, kind, parent,
                             final_test_loss, best_test_loss, val_loss, final_test_rms, best_test_rms);
CREATE INDEX run_point ON run(point_hash, id, config_hash, status, final_test_acc, best_test_acc, val_acc,
                              pulses, energy_j, wall_s,
                              dataset, topology, hidden, neuron, feedback_mode, feedback_scale,
                              settle_method, settle_free, settle_nudged, rule, nudge, phases, nudge_error, gradient,
                              optimizer, rate, scheme, device, array, read_noise, epochs, batch, kind,
                              final_test_loss, final_test_rms);

CREATE TABLE epoch (
  run_id       TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  epoch        INTEGER NOT NULL,             -- from 1
  train_acc    REAL,
  test_acc     REAL,
  val_acc      REAL,                         -- NULL without a validation part
  loss         REAL,                         -- mean of the training samples: nat, or half the squared error
  settle_steps REAL,                         -- mean steps (or sweeps) of a free phase
  unsettled    INTEGER NOT NULL,             -- samples that missed the tolerance
  pulses       REAL,                         -- of this epoch, as all that follows
  set_pulses   REAL,                         -- those that raise a conductance
  reset_pulses REAL,                         -- those that lower one
  clipped      REAL,                         -- requests that ran into a bound or the largest pulse count
  reads        REAL,                         -- one input vector through one array each
  energy_j     REAL,                         -- J
  wall_s       REAL,                         -- s, training only
  eval_s       REAL,                         -- s, evaluation
  truncated    REAL,                         -- cells whose probability of a coincidence was cut, in all samples
  verify_reads REAL,                         -- of single cells, to verify what was written
  test_loss    REAL,                         -- half the squared error where targets are values, else NULL
  val_loss     REAL,                         -- the same of the validation samples
  test_rms     REAL,                         -- root of the mean squared error, in the targets' own unit
  PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE layer_epoch (
  run_id    TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  epoch     INTEGER NOT NULL,                -- 0: before training
  layer     INTEGER NOT NULL,                -- connection, from 0 in the order of the network
  name      TEXT NOT NULL,                   -- "x-h1", "h1-h2", "h2-out"
  rows      INTEGER NOT NULL,                -- inputs
  cols      INTEGER NOT NULL,                -- outputs
  w_mean    REAL,                            -- effective weights
  w_std     REAL,
  w_absmax  REAL,
  g_mean    REAL,                            -- S
  g_std     REAL,                            -- S
  saturated REAL,                            -- fraction of cells at a bound
  stuck     REAL,                            -- fraction of cells that do not move
  pulses    REAL,                            -- of this epoch
  cosine    REAL,                            -- gradient against backpropagation's, -1 to 1
  g_hist    TEXT,                            -- JSON list: cells in equal parts of the range g_min to g_max, both banks
  w_range   REAL,                            -- weight of a pair of devices at opposite ends
  w_error   REAL,                            -- of a programmed run: rms, written less wanted
  clipped   REAL,                            -- of a programmed run: fraction beyond their cells
  importance_mean REAL,                      -- factors of the neurons that it leads into (rule.importance)
  importance_std  REAL,                      -- their spread
  PRIMARY KEY (run_id, epoch, layer)
) STRICT, WITHOUT ROWID;

CREATE TABLE settle (
  run_id          TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  epoch           INTEGER NOT NULL,
  phase           TEXT NOT NULL,             -- free, nudged
  steps_mean      REAL,                      -- steps or sweeps a sample
  steps_max       REAL,
  residual_max    REAL,                      -- largest change of a state in the last step
  time_s          REAL,                      -- s, simulated time to settle
  spectral_radius REAL,                      -- of the hidden-to-hidden matrix
  lyapunov        REAL,                      -- finite-time maximal exponent, 1/step
  unsettled       INTEGER NOT NULL,          -- samples that missed the tolerance
  energy_j        REAL,                      -- J a sample, in the crossbars while it settles
  kirchhoff       REAL,                      -- of resistors, at test images: largest current left at a node, in its units
  dissipated      REAL,                      -- the same: power in conductances and junctions, mean, in its units
  supplied        REAL,                      -- the same: power of inputs and biases
  PRIMARY KEY (run_id, epoch, phase)
) STRICT, WITHOUT ROWID;

CREATE TABLE energy_epoch ( -- what an epoch of training would have taken on hardware
  run_id  TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  epoch   INTEGER NOT NULL,
  term    TEXT NOT NULL,                     -- cells, lines, dac, adc, amplifiers, set, reset, half-selected, verify, integrators, inhibition
  joule   REAL,                              -- J, of the epoch
  seconds REAL,                              -- s; 0 where a term goes on beside the others
  count   REAL,                              -- of reads, driven lines, conversions, pulses, cells
  samples REAL,                              -- that were trained on: joule/samples is the energy of one
  PRIMARY KEY (run_id, epoch, term)
) STRICT, WITHOUT ROWID;

CREATE TABLE control ( -- what a controller makes neurons do, on the first training batch (observe.control)
  run_id       TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  epoch        INTEGER NOT NULL,
  layer        INTEGER NOT NULL,             -- of neurons, from 1; the read-out is the last
  name         TEXT NOT NULL,                -- "h1", "out"
  size         REAL,                         -- rms of the controls over that of the summed inputs
  cosine       REAL,                         -- of what is learned from with backpropagation's error, -1 to 1
  cosine_least REAL,                         -- of the controls with the least ones that move the read-out as far
  condition    REAL,                         -- of all layers, with the read-out: part of Q in the row space of J, 0 to 1
  growth       REAL,                         -- of all layers: largest real part around the rest, over the controller's time
  residual     REAL,                         -- of all layers: what the rest is missed by, over the first error
  unsettled    REAL,                         -- of all layers: fraction of the samples that missed the tolerance
  PRIMARY KEY (run_id, epoch, layer)
) STRICT, WITHOUT ROWID;

CREATE TABLE settle_sample ( -- in continuous time (settle.method ode), with observe.settling
  run_id   TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  epoch    INTEGER NOT NULL,
  phase    TEXT NOT NULL,                    -- free
  sample   INTEGER NOT NULL,                 -- of the test images, from 0
  settled  INTEGER NOT NULL CHECK (settled IN (0, 1)),
  time_s   REAL,                             -- s to settle; NULL when it did not
  energy_j REAL,                             -- J in the crossbars until its group had settled
  PRIMARY KEY (run_id, epoch, phase, sample)
) STRICT, WITHOUT ROWID;

CREATE TABLE prediction ( -- of a run whose targets are values: its answers to the first test samples in the end
  run_id TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  sample INTEGER NOT NULL,                   -- of the test, from 0; up to 1000 rows in all
  value  INTEGER NOT NULL,                   -- which of the targets, from 0
  target REAL,                               -- in its own unit
  answer REAL,                               -- in the same unit
  PRIMARY KEY (run_id, sample, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
  run_id  TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  kind    TEXT NOT NULL CHECK (kind IN ('last', 'best')),  -- no row 'best' while the last one is it
  epoch   INTEGER NOT NULL,                  -- epochs completed
  batch   INTEGER NOT NULL,                  -- batches done of the epoch under way; 0 at an epoch's end
  created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  data    BLOB NOT NULL,                     -- weights or devices, optimizer, counters: all a resume needs
  is_best INTEGER NOT NULL DEFAULT 0,        -- 1: of the best epoch so far
  PRIMARY KEY (run_id, kind)
) STRICT;

CREATE TABLE cosim (
  id        INTEGER PRIMARY KEY,
  run_id    TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  created   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  what      TEXT NOT NULL,                   -- device, crossbar, network
  quantity  TEXT NOT NULL,                   -- "column current"
  unit      TEXT NOT NULL,                   -- of max_abs and rms
  place     TEXT NOT NULL,                   -- of the largest difference: "column 3"
  n         INTEGER NOT NULL,                -- values compared
  max_abs   REAL,                            -- largest difference of ngspice and the core solver
  max_rel   REAL,                            -- largest relative one
  rms       REAL,
  tolerance REAL,                            -- on max_rel
  pass      INTEGER NOT NULL CHECK (pass IN (0, 1)),
  core_s    REAL,                            -- s, core solver
  spice_s   REAL                             -- s, ngspice
) STRICT;
CREATE INDEX cosim_run ON cosim(run_id);

CREATE TABLE artifact (
  id      INTEGER PRIMARY KEY,
  run_id  TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  kind    TEXT NOT NULL,                     -- cosim: values compared; mistakes: test images got wrong; spikes: of a network that spikes; circuit: of one of resistors
  name    TEXT NOT NULL,                     -- file name; a new one of the same kind and name replaces it
  created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  data    BLOB NOT NULL,
  UNIQUE (run_id, kind, name)
) STRICT;

CREATE TABLE study (
  name    TEXT NOT NULL PRIMARY KEY,
  created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  config  TEXT NOT NULL CHECK (json_valid(config)) -- JSON: what is swept
) STRICT;

-- A study takes runs that are already there into its grid, so a run may belong to several.
CREATE TABLE study_run (
  study      TEXT NOT NULL REFERENCES study(name) ON DELETE CASCADE ON UPDATE CASCADE,
  point_hash TEXT NOT NULL,                  -- the run's, here too so that v_study reads in order
  run_id     TEXT NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  PRIMARY KEY (study, point_hash, run_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX study_run_run ON study_run(run_id);

CREATE VIEW v_run AS -- a run and its config's main keys, one row a run
SELECT id, name, status, started, ended, wall_s, epochs_done,
       final_test_acc AS test_acc, -- short for it, in filters
       final_test_acc, best_test_acc, best_epoch, train_acc, val_acc, pulses, energy_j,
       dataset, topology, hidden, neuron, feedback_mode, feedback_scale, settle_method, settle_free,
       settle_nudged, rule, nudge, phases, nudge_error, gradient, optimizer, rate, scheme, device, array,
       read_noise, epochs, batch, seed, kind, parent,
       final_test_loss AS test_loss, final_test_rms AS test_rms, -- short, too
       final_test_loss, best_test_loss, val_loss, final_test_rms, best_test_rms,
       config_hash, point_hash, data_checksum, code_version, blas, host, pid, error, config
FROM run;

-- One row a grid point: the runs that differ in nothing but seeds, in each study they belong to; study is NULL
-- for those in none. n, mean and std (the sample standard deviation, NULL for one seed) are of the completed
-- runs; the others are counted beside, so that nobody overlooks them.
-- * point_hash makes the groups. It is computed once, when a run begins, from the config's values without the
--   seeds and without what cannot change a result (point.c lists both), and from the checksum of the data;
--   grouping by the JSON itself would parse every config at every query.
-- * A seed trained twice gives one result twice, which would make the deviation look small: of a config_hash
--   only the newest run of a status counts.
-- * The two parts are written out, so that a filter on study reaches the first one's primary key.
CREATE VIEW v_study AS
SELECT g.study AS study, n, diverged, unfinished,
       sum_final / n_final AS test_acc_mean,
       sqrt(max(sq_final - sum_final * sum_final / n_final, 0) / nullif(n_final - 1, 0)) AS test_acc_std,
       sum_best / n_best AS best_test_acc_mean,
       sqrt(max(sq_best - sum_best * sum_best / n_best, 0) / nullif(n_best - 1, 0)) AS best_test_acc_std,
       val_acc_mean, pulses_mean, energy_j_mean, wall_s_mean,
       dataset, topology, hidden, neuron, feedback_mode, feedback_scale, settle_method, settle_free,
       settle_nudged, rule, nudge, phases, nudge_error, gradient, optimizer, rate, scheme, device, array,
       read_noise, epochs, batch,
       k.id AS run_id, -- the newest, which the keys are from
       k.point_hash AS point_hash,
       k.kind AS kind,
       loss_mean AS test_loss_mean, rms_mean AS test_rms_mean,
       sqrt(max(sq_rms - n_rms * rms_mean * rms_mean, 0) / nullif(n_rms - 1, 0)) AS test_rms_std
FROM (
  SELECT s.study AS study, s.point_hash AS point,
         count(*) FILTER (WHERE r.status = 'completed') AS n,
         count(*) FILTER (WHERE r.status = 'diverged') AS diverged,
         count(*) FILTER (WHERE r.status NOT IN ('completed', 'diverged')) AS unfinished,
         count(r.final_test_acc) FILTER (WHERE r.status = 'completed') AS n_final,
         total(r.final_test_acc) FILTER (WHERE r.status = 'completed') AS sum_final,
         total(r.final_test_acc * r.final_test_acc) FILTER (WHERE r.status = 'completed') AS sq_final,
         count(r.best_test_acc) FILTER (WHERE r.status = 'completed') AS n_best,
         total(r.best_test_acc) FILTER (WHERE r.status = 'completed') AS sum_best,
         total(r.best_test_acc * r.best_test_acc) FILTER (WHERE r.status = 'completed') AS sq_best,
         avg(r.val_acc) FILTER (WHERE r.status = 'completed') AS val_acc_mean,
         avg(r.pulses) FILTER (WHERE r.status = 'completed') AS pulses_mean,
         avg(r.energy_j) FILTER (WHERE r.status = 'completed') AS energy_j_mean,
         avg(r.wall_s) FILTER (WHERE r.status = 'completed') AS wall_s_mean,
         avg(r.final_test_loss) FILTER (WHERE r.status = 'completed') AS loss_mean,
         count(r.final_test_rms) FILTER (WHERE r.status = 'completed') AS n_rms,
         avg(r.final_test_rms) FILTER (WHERE r.status = 'completed') AS rms_mean,
         total(r.final_test_rms * r.final_test_rms) FILTER (WHERE r.status = 'completed') AS sq_rms,
         max(r.id) AS newest
  FROM study_run AS s JOIN run AS r ON r.point_hash = s.point_hash AND r.id = s.run_id
  WHERE NOT EXISTS (SELECT 1 FROM run AS d
                    WHERE d.config_hash = r.config_hash
                      AND d.status = r.status AND d.id > r.id
                      AND EXISTS (SELECT 1 FROM study_run AS t
                                  WHERE t.study = s.study AND t.point_hash = s.point_hash AND t.run_id = d.id))
  GROUP BY s.study, s.point_hash
  UNION ALL
  SELECT NULL, r.point_hash,
         count(*) FILTER (WHERE r.status = 'completed'),
         count(*) FILTER (WHERE r.status = 'diverged'),
         count(*) FILTER (WHERE r.status NOT IN ('completed', 'diverged')),
         count(r.final_test_acc) FILTER (WHERE r.status = 'completed'),
         total(r.final_test_acc) FILTER (WHERE r.status = 'completed'),
         total(r.final_test_acc * r.final_test_acc) FILTER (WHERE r.status = 'completed'),
         count(r.best_test_acc) FILTER (WHERE r.status = 'completed'),
         total(r.best_test_acc) FILTER (WHERE r.status = 'completed'),
         total(r.best_test_acc * r.best_test_acc) FILTER (WHERE r.status = 'completed'),
         avg(r.val_acc) FILTER (WHERE r.status = 'completed'),
         avg(r.pulses) FILTER (WHERE r.status = 'completed'),
         avg(r.energy_j) FILTER (WHERE r.status = 'completed'),
         avg(r.wall_s) FILTER (WHERE r.status = 'completed'),
         avg(r.final_test_loss) FILTER (WHERE r.status = 'completed'),
         count(r.final_test_rms) FILTER (WHERE r.status = 'completed'),
         avg(r.final_test_rms) FILTER (WHERE r.status = 'completed'),
         total(r.final_test_rms * r.final_test_rms) FILTER (WHERE r.status = 'completed'),
         max(r.id)
  FROM run AS r
  WHERE r.id NOT IN (SELECT run_id FROM study_run)
    AND NOT EXISTS (SELECT 1 FROM run AS d
                    WHERE d.config_hash = r.config_hash
                      AND d.status = r.status AND d.id > r.id AND d.id NOT IN (SELECT run_id FROM study_run))
  GROUP BY r.point_hash
) AS g JOIN run AS k ON k.point_hash = g.point AND k.id = g.newest;
