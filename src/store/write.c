/* write.c - what a training stores: a run, its epochs and checkpoints, what belongs to it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* ---------------------------------------------------------------- ids */

/* Microseconds since the beginning of 2020. */
static uint64_t microseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return ((uint64_t)t.tv_sec - 1577836800u) * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* 60 bits in 12 digits of Crockford's base 32 (no i, l, o, u): 51 of microseconds, good until
 * 2091, and 9 random ones for processes that start together. Waiting for the clock's next tick
 * keeps the ids of one thread apart and in order without remembering the last. */
void mho_store_new_id(char id[MHO_ID_MAX]) {
  static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
  uint64_t first = microseconds(), now = first;
  while (now == first)
    now = microseconds();

  uint16_t r = 0;
  if (getrandom(&r, sizeof r, GRND_NONBLOCK) != (ssize_t)sizeof r)
    r = (uint16_t)(uintptr_t)id; /* no entropy this early: the address will do */

  uint64_t v = now << 9 | (r & 511u);
  for (int i = 11; i >= 0; i--) {
    id[i] = digits[v & 31];
    v >>= 5;
  }
  id[12] = 0;
}

/* ---------------------------------------------------------------- runs */

static mho_err begin_locked(mho_store *s, const mho_run_row *run, const char *point,
                            mho_errinfo *ei) {
  int64_t there = 0;
  mho_err err = run->name ? mho_name_check("the run's name", run->name, ei) : MHO_OK;
  if (!err && run->name && !strcmp(run->name, "last")) /* would never be found by it */
    err = mho_fail(ei, MHO_EINVAL, "the run's name 'last' means the newest run: give another");
  if (!err)
    err = mho__store_int(s, "SELECT 1 FROM run WHERE id = ?1", run->id, 0, &there, ei);
  if (err)
    return err;
  if (there)
    return mho_fail(ei, MHO_EINVAL, "there is already a run '%s' in '%s'", run->id, s->path);
  return mho__store_insert(s, "INSERT INTO run", "point_hash", point, mho__store_run_columns,
                           mho__store_run_columns_n, run, 1, sizeof *run, ei);
}

static const char add_to_study[] = "INSERT OR IGNORE INTO study_run(study, point_hash, run_id) "
                                   "SELECT ?1, point_hash, id FROM run WHERE id = ?2";

static mho_err claim_locked(mho_store *s, const mho_run_row *run, const char *point,
                            const char *study, bool again, char there[MHO_ID_MAX],
                            mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(
      s,
      "SELECT id FROM run WHERE config_hash = ?1 ORDER BY CASE status WHEN 'completed' "
      "THEN 0 WHEN 'diverged' THEN 1 WHEN 'running' THEN 2 ELSE 3 END, id DESC LIMIT 1",
      "look for a run", &st, ei);
  if (err)
    return err;

  sqlite3_bind_text(st, 1, run->config_hash, -1, SQLITE_STATIC);
  int rc = again ? SQLITE_DONE : sqlite3_step(st);
  if (rc == SQLITE_ROW)
    snprintf(there, MHO_ID_MAX, "%s", (const char *)sqlite3_column_text(st, 0));
  else if (rc != SQLITE_DONE)
    err = mho__store_fail(s, rc, "look for a run", ei);
  sqlite3_finalize(st);

  if (!err && !*there)
    err = begin_locked(s, run, point, ei);
  if (err)
    return err;

  const char *texts[] = {study, *there ? there : run->id};
  return mho__store_run_texts(s, add_to_study, 2, texts, "write", ei);
}

/* With study NULL the run belongs to none, and is inserted whatever is there. */
static mho_err begin_run(mho_store *s, const mho_run_row *run, const char *study, bool again,
                         char there[MHO_ID_MAX], mho_errinfo *ei) {
  static const char running[] = "running", trained[] = "trained";
  char now[32], point[65];
  if (!*run->id || !run->config || !run->config_hash)
    return mho_fail(ei, MHO_EINVAL, "a run needs an id, a config and its hash");

  if (!strcmp(run->id, "last")) /* means the newest, wherever a run is named */
    return mho_fail(ei, MHO_EINVAL, "a run's id cannot be '%s'", run->id);
  mho_run_row row = *run;
  if (!row.kind)
    row.kind = (char *)trained; /* only read */

  mho_err err = mho__store_point_hash(s, run->config, run->data_checksum ? run->data_checksum : "",
                                      row.kind, point, ei);
  if (err)
    return err;

  row.status = (char *)running; /* only read */
  if (!row.started) {
    mho__store_now(now);
    row.started = now;
  }

  err = mho__store_begin(s, ei);
  if (err)
    return err;

  err = study ? claim_locked(s, &row, point, study, again, there, ei)
              : begin_locked(s, &row, point, ei);
  return mho__store_end(s, err, ei);
}

mho_err mho_store_run_begin(mho_store *s, const mho_run_row *run, mho_errinfo *ei) {
  return begin_run(s, run, NULL, true, NULL, ei);
}

mho_err mho_store_run_claim(mho_store *s, const mho_run_row *run, const char *study, bool again,
                            char there[MHO_ID_MAX], mho_errinfo *ei) {
  *there = 0;
  return begin_run(s, run, study, again, there, ei);
}

mho_err mho_store_run_take(mho_store *s, const mho_run_row *row, int64_t pid, const char *host,
                           mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = mho__store_begin(s, ei);
  if (err)
    return err;

  err = mho__store_prepare(
      s,
      "UPDATE run SET status = 'running', pid = ?1, host = ?2, ended = NULL, error = NULL "
      "WHERE id = ?3 AND pid = ?4 AND status = ?5",
      "take a run", &st, ei);
  if (!err) {
    sqlite3_bind_int64(st, 1, pid);
    sqlite3_bind_text(st, 2, host, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, row->id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 4, row->pid);
    sqlite3_bind_text(st, 5, row->status, -1, SQLITE_STATIC);
    err = mho__store_run(s, st, "take a run", ei);
    if (!err && !sqlite3_changes(s->db))
      err = mho_fail(ei, MHO_EINVAL, "run %s was taken by another process just now", row->id);
    sqlite3_finalize(st);
  }
  return mho__store_end(s, err, ei);
}

#define RUN(field, kind) MHO_STORE_COLUMN(mho_run_row, field, kind)
static mho_err update_run(mho_store *s, const char *id, const mho_run_row *run, mho_errinfo *ei) {
  static const mho_store_column changing[] = {
      RUN(status, TEXT),     RUN(ended, TEXT),           RUN(wall_s, REAL),
      RUN(epochs_done, INT), RUN(final_test_acc, REAL),  RUN(train_acc, REAL),
      RUN(val_acc, REAL),    RUN(best_test_acc, REAL),   RUN(best_epoch, INT),
      RUN(pulses, REAL),     RUN(energy_j, REAL),        RUN(error, TEXT),
      RUN(pid, INT64),       RUN(final_test_loss, REAL), RUN(best_test_loss, REAL),
      RUN(val_loss, REAL),   RUN(final_test_rms, REAL),  RUN(best_test_rms, REAL),
  };

  char now[32];
  mho_run_row row = *run;
  if (row.status && strcmp(row.status, "running") && !row.ended) {
    mho__store_now(now);
    row.ended = now;
  }

  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(
      s,
      "UPDATE run SET status = coalesce(?1, status), ended = ?2, wall_s = ?3, epochs_done = ?4, "
      "final_test_acc = ?5, train_acc = ?6, val_acc = ?7, best_test_acc = ?8, best_epoch = ?9, "
      "pulses = ?10, energy_j = ?11, error = ?12, pid = ?13, final_test_loss = ?14, "
      "best_test_loss = ?15, val_loss = ?16, final_test_rms = ?17, best_test_rms = ?18 "
      "WHERE id = ?19",
      "write the run", &st, ei);
  if (err)
    return err;

  int rc = SQLITE_OK;
  for (int i = 0; i < MHO_COUNT(changing); i++) {
    rc = mho__store_bind(st, i + 1, &changing[i], &row);
    if (rc)
      break;
  }
  if (!rc)
    rc = sqlite3_bind_text(st, MHO_COUNT(changing) + 1, id, -1, SQLITE_STATIC);
  err =
      rc ? mho__store_fail(s, rc, "write the run", ei) : mho__store_run(s, st, "write the run", ei);
  sqlite3_finalize(st);
  return err;
}

/* ---------------------------------------------------------------- epochs */

#define EPOCH(field, kind) MHO_STORE_COLUMN(mho_epoch_row, field, kind)
static const mho_store_column epoch_columns[] = {
    EPOCH(epoch, INT),         EPOCH(train_acc, REAL),    EPOCH(test_acc, REAL),
    EPOCH(val_acc, REAL),      EPOCH(loss, REAL),         EPOCH(settle_steps, REAL),
    EPOCH(unsettled, INT64),   EPOCH(pulses, REAL),       EPOCH(set_pulses, REAL),
    EPOCH(reset_pulses, REAL), EPOCH(clipped, REAL),      EPOCH(reads, REAL),
    EPOCH(energy_j, REAL),     EPOCH(wall_s, REAL),       EPOCH(eval_s, REAL),
    EPOCH(truncated, REAL),    EPOCH(verify_reads, REAL), EPOCH(test_loss, REAL),
    EPOCH(val_loss, REAL),     EPOCH(test_rms, REAL),
};

#define LAYER(field, kind) MHO_STORE_COLUMN(mho_layer_row, field, kind)
static const mho_store_column layer_columns[] = {
    LAYER(layer, INT),
    LAYER(name, WORD),
    LAYER(rows, INT),
    LAYER(cols, INT),
    LAYER(w_mean, REAL),
    LAYER(w_std, REAL),
    LAYER(w_absmax, REAL),
    LAYER(g_mean, REAL),
    LAYER(g_std, REAL),
    LAYER(saturated, REAL),
    LAYER(stuck, REAL),
    LAYER(pulses, REAL),
    LAYER(cosine, REAL),
    LAYER(g_hist, INLINE),
    LAYER(w_range, REAL),
    LAYER(w_error, REAL),
    LAYER(clipped, REAL),
    LAYER(importance_mean, REAL),
    LAYER(importance_std, REAL),
};

#define SETTLE(field, kind) MHO_STORE_COLUMN(mho_settle_row, field, kind)
static const mho_store_column settle_columns[] = {
    SETTLE(epoch, INT),       SETTLE(phase, WORD),           SETTLE(steps_mean, REAL),
    SETTLE(steps_max, REAL),  SETTLE(residual_max, REAL),    SETTLE(time_s, REAL),
    SETTLE(energy_j, REAL),   SETTLE(spectral_radius, REAL), SETTLE(lyapunov, REAL),
    SETTLE(kirchhoff, REAL),  SETTLE(dissipated, REAL),      SETTLE(supplied, REAL),
    SETTLE(unsettled, INT64),
};

#define ENERGY(field, kind) MHO_STORE_COLUMN(mho_energy_row, field, kind)
static const mho_store_column energy_columns[] = {
    ENERGY(epoch, INT),    ENERGY(term, WORD),  ENERGY(joule, REAL),
    ENERGY(seconds, REAL), ENERGY(count, REAL), ENERGY(samples, REAL),
};

#define CONTROL(field, kind) MHO_STORE_COLUMN(mho_control_row, field, kind)
static const mho_store_column control_columns[] = {
    CONTROL(epoch, INT),      CONTROL(layer, INT),      CONTROL(name, WORD),
    CONTROL(size, REAL),      CONTROL(cosine, REAL),    CONTROL(cosine_least, REAL),
    CONTROL(growth, REAL),    CONTROL(condition, REAL), CONTROL(residual, REAL),
    CONTROL(unsettled, REAL),
};

#define SAMPLE(field, kind) MHO_STORE_COLUMN(mho_settle_sample, field, kind)
static const mho_store_column sample_columns[] = {
    SAMPLE(epoch, INT),    SAMPLE(phase, WORD),  SAMPLE(sample, INT),
    SAMPLE(settled, BOOL), SAMPLE(time_s, REAL), SAMPLE(energy_j, REAL),
};

#define PREDICTION(field, kind) MHO_STORE_COLUMN(mho_prediction_row, field, kind)
static const mho_store_column prediction_columns[] = {
    PREDICTION(sample, INT),
    PREDICTION(value, INT),
    PREDICTION(target, REAL),
    PREDICTION(answer, REAL),
};

/* A layer and its epoch, which its public struct does not have. */
typedef struct layer_at {
  int epoch;
  mho_layer_row row;
} layer_at;

static mho_err write_layers(mho_store *s, const char *id, const mho_store_update *u,
                            mho_errinfo *ei) {
  mho_store_column columns[MHO_COUNT(layer_columns) + 1] = {MHO_STORE_COLUMN(layer_at, epoch, INT)};
  for (int i = 0; i < MHO_COUNT(layer_columns); i++) {
    columns[i + 1] = layer_columns[i];
    columns[i + 1].offset += offsetof(layer_at, row);
  }

  layer_at *rows = mho_alloc((size_t)u->n_layers, sizeof *rows);
  if (!rows)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d layers", u->n_layers);

  for (int i = 0; i < u->n_layers; i++)
    rows[i] = (layer_at){u->layers_epoch, u->layers[i]};
  mho_err err = mho__store_insert(s, "INSERT OR REPLACE INTO layer_epoch", "run_id", id, columns,
                                  MHO_COUNT(columns), rows, u->n_layers, sizeof *rows, ei);
  mho_free(rows);
  return err;
}

static mho_err write_last(mho_store *s, const char *id, const mho_checkpoint_row *c, bool is_best,
                          mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(
      s,
      "INSERT OR REPLACE INTO checkpoint(run_id, kind, epoch, batch, data, is_best) "
      "VALUES(?1, 'last', ?2, ?3, ?4, ?5)",
      "write a checkpoint", &st, ei);
  if (err)
    return err;

  sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
  sqlite3_bind_int(st, 2, c->epoch);
  sqlite3_bind_int64(st, 3, c->batch);
  sqlite3_bind_int(st, 5, is_best);

  const void *data = c->blob.size ? c->blob.data : "";
  int rc = sqlite3_bind_blob64(st, 4, data, c->blob.size, SQLITE_STATIC);
  err = rc ? mho__store_fail(s, rc, "write a checkpoint", ei)
           : mho__store_run(s, st, "write a checkpoint", ei);

  sqlite3_finalize(st);
  return err;
}

/* Before the last checkpoint is replaced, the best one is set aside: it is deleted when the new
 * one is better, and when the last one was the best, it needs a record of its own only now.
 * Renaming it touches one page: the two names are equally long, and SQLite leaves those pages of
 * a record alone that stay the same. So megabytes are written once an epoch. */
static mho_err set_best_aside(mho_store *s, const char *id, bool last_is_best, mho_errinfo *ei) {
  const char *sql = "UPDATE checkpoint SET kind = 'best' WHERE run_id = ?1 AND kind = 'last' AND "
                    "is_best";
  if (last_is_best)
    sql = "DELETE FROM checkpoint WHERE run_id = ?1 AND kind = 'best'";
  return mho__store_run_texts(s, sql, 1, &id, "write a checkpoint", ei);
}

/* A run resumed from a checkpoint of a few epochs ago trains those again: their rows are
 * replaced. */
static mho_err write_locked(mho_store *s, const char *id, const mho_store_update *u,
                            mho_errinfo *ei) {
  mho_err err = mho__store_need_run(s, id, ei);
  if (!err && u->epoch)
    err = mho__store_insert(s, "INSERT OR REPLACE INTO epoch", "run_id", id, epoch_columns,
                            MHO_COUNT(epoch_columns), u->epoch, 1, sizeof *u->epoch, ei);
  if (!err && u->layers)
    err = write_layers(s, id, u, ei);
  if (!err && u->settles)
    err = mho__store_insert(s, "INSERT OR REPLACE INTO settle", "run_id", id, settle_columns,
                            MHO_COUNT(settle_columns), u->settles, u->n_settles, sizeof *u->settles,
                            ei);
  if (!err && u->energies)
    err = mho__store_insert(s, "INSERT OR REPLACE INTO energy_epoch", "run_id", id, energy_columns,
                            MHO_COUNT(energy_columns), u->energies, u->n_energies,
                            sizeof *u->energies, ei);
  if (!err && u->controls)
    err = mho__store_insert(s, "INSERT OR REPLACE INTO control", "run_id", id, control_columns,
                            MHO_COUNT(control_columns), u->controls, u->n_controls,
                            sizeof *u->controls, ei);
  if (!err && u->samples)
    err = mho__store_insert(s, "INSERT OR REPLACE INTO settle_sample", "run_id", id, sample_columns,
                            MHO_COUNT(sample_columns), u->samples, u->n_samples, sizeof *u->samples,
                            ei);

  if (!err && u->predictions)
    err = mho__store_insert(s, "INSERT OR REPLACE INTO prediction", "run_id", id,
                            prediction_columns, MHO_COUNT(prediction_columns), u->predictions,
                            u->n_predictions, sizeof *u->predictions, ei);

  if (!err && u->last)
    err = set_best_aside(s, id, u->last_is_best, ei);
  if (!err && u->last)
    err = write_last(s, id, u->last, u->last_is_best, ei);

  if (!err && u->run)
    err = update_run(s, id, u->run, ei);
  return err;
}

mho_err mho_store_write(mho_store *s, const char *run_id, const mho_store_update *u,
                        mho_errinfo *ei) {
  mho_err err = mho__store_begin(s, ei);
  return err ? err : mho__store_end(s, write_locked(s, run_id, u, ei), ei);
}

/* What a run row says of its epochs, from those that are left; best by validation where there is
 * one, by the loss where targets are values. */
static const char rewind_run[] =
    "WITH e AS (SELECT * FROM epoch WHERE run_id = ?1), "
    "last AS (SELECT * FROM e ORDER BY epoch DESC LIMIT 1), "
    "best AS (SELECT * FROM e ORDER BY coalesce(val_acc, test_acc, -val_loss, -test_loss) DESC, "
    "epoch LIMIT 1) "
    "UPDATE run SET epochs_done = (SELECT count(*) FROM e), "
    "pulses = (SELECT total(pulses) FROM e), "
    "wall_s = (SELECT total(wall_s) + total(eval_s) FROM e), "
    "energy_j = (SELECT sum(energy_j) FROM e), "
    "final_test_acc = (SELECT test_acc FROM last), train_acc = (SELECT train_acc FROM last), "
    "val_acc = (SELECT val_acc FROM last), best_test_acc = (SELECT test_acc FROM best), "
    "final_test_loss = (SELECT test_loss FROM last), val_loss = (SELECT val_loss FROM last), "
    "final_test_rms = (SELECT test_rms FROM last), "
    "best_test_loss = (SELECT test_loss FROM best), best_test_rms = (SELECT test_rms FROM best), "
    "best_epoch = coalesce((SELECT epoch FROM best), 0) WHERE id = ?1 AND ?2 IS NOT NULL";

mho_err mho_store_rewind(mho_store *s, const char *run_id, int epoch, mho_errinfo *ei) {
  static const char *const deletes[] = {
      "DELETE FROM epoch WHERE run_id = ?1 AND epoch > CAST(?2 AS INTEGER)",
      "DELETE FROM layer_epoch WHERE run_id = ?1 AND epoch > CAST(?2 AS INTEGER)",
      "DELETE FROM settle WHERE run_id = ?1 AND epoch > CAST(?2 AS INTEGER)",
      "DELETE FROM energy_epoch WHERE run_id = ?1 AND epoch > CAST(?2 AS INTEGER)",
      "DELETE FROM control WHERE run_id = ?1 AND epoch > CAST(?2 AS INTEGER)",
      "DELETE FROM settle_sample WHERE run_id = ?1 AND epoch > CAST(?2 AS INTEGER)",
      "DELETE FROM prediction WHERE run_id = ?1 AND ?2 IS NOT NULL"};

  char number[16];
  snprintf(number, sizeof number, "%d", epoch);
  const char *texts[] = {run_id, number};
  mho_err err = mho__store_begin(s, ei);
  if (err)
    return err;

  err = mho__store_need_run(s, run_id, ei);
  for (int i = 0; i < MHO_COUNT(deletes); i++)
    if (!err)
      err = mho__store_run_texts(s, deletes[i], 2, texts, "write", ei);
  if (!err)
    err = mho__store_run_texts(s, rewind_run, 2, texts, "write", ei);
  return mho__store_end(s, err, ei);
}

/* --------------------------------------------------------------- co-simulations, files, studies */

#define COSIM(field, kind) MHO_STORE_COLUMN(mho_cosim_row, field, kind)
static const mho_store_column cosim_columns[] = {
    COSIM(what, WORD),      COSIM(quantity, WORD), COSIM(unit, WORD),    COSIM(place, WORD),
    COSIM(n, INT64),        COSIM(max_abs, REAL),  COSIM(max_rel, REAL), COSIM(rms, REAL),
    COSIM(tolerance, REAL), COSIM(pass, BOOL),     COSIM(core_s, REAL),  COSIM(spice_s, REAL),
};

mho_err mho_store_cosim(mho_store *s, const char *run_id, const mho_cosim_row *row,
                        mho_errinfo *ei) {
  mho_err err = mho__store_begin(s, ei);
  if (err)
    return err;

  err = mho__store_need_run(s, run_id, ei);
  if (!err)
    err = mho__store_insert(s, "INSERT INTO cosim", "run_id", run_id, cosim_columns,
                            MHO_COUNT(cosim_columns), row, 1, sizeof *row, ei);
  return mho__store_end(s, err, ei);
}

mho_err mho_store_artifact(mho_store *s, const char *run_id, const char *kind, const char *name,
                           const void *data, size_t size, mho_errinfo *ei) {
  const char *texts[] = {run_id, kind, name};
  mho_err err = mho__store_begin(s, ei);
  if (err)
    return err;

  err = mho__store_need_run(s, run_id, ei);
  if (!err)
    err = mho__store_run_blob(
        s, "INSERT OR REPLACE INTO artifact(run_id, kind, name, data) VALUES(?1, ?2, ?3, ?4)", 3,
        texts, size ? data : "", size, "write", ei);
  return mho__store_end(s, err, ei);
}

mho_err mho_store_study(mho_store *s, const char *name, const char *config, mho_errinfo *ei) {
  const char *texts[] = {name, config};
  int64_t valid;
  if (!name || !*name)
    return mho_fail(ei, MHO_EINVAL, "a study needs a name");

  mho_err err = mho__store_int(s, "SELECT json_valid(?1)", config, 0, &valid, ei);
  if (!err && !valid)
    err = mho_fail(ei, MHO_EINVAL, "the study's config is not JSON: '%.60s'", config ? config : "");
  if (!err)
    err = mho__store_begin(s, ei);
  if (err)
    return err;

  err = mho__store_run_texts(s,
                             "INSERT INTO study(name, config) VALUES(?1, ?2) "
                             "ON CONFLICT(name) DO UPDATE SET config = excluded.config",
                             2, texts, "write", ei);
  return mho__store_end(s, err, ei);
}

mho_err mho_store_study_add(mho_store *s, const char *name, const char *run_id, mho_errinfo *ei) {
  const char *texts[] = {name, run_id};
  int64_t there;
  mho_err err = mho__store_begin(s, ei);
  if (err)
    return err;

  err = mho__store_need_run(s, run_id, ei);
  if (!err)
    err = mho__store_int(s, "SELECT 1 FROM study WHERE name = ?1", name, 0, &there, ei);
  if (!err && !there)
    err = mho_fail(ei, MHO_ENOTFOUND, "there is no study '%s' in '%s'", name, s->path);
  if (!err)
    err = mho__store_run_texts(s, add_to_study, 2, texts, "write", ei);
  return mho__store_end(s, err, ei);
}
