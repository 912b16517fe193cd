/* How a large run database answers: 100 000 runs in 100 studies with 5 000 000 epoch rows, made up.
 *
 * Usage: bench_store [RUNS [FILE]]. The file is made once and kept when it is named; prints the
 * size a run and the time of every named query, of the views and of `mho runs` with a filter, best
 * and worst of five.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mho/experiment.h"
#include "mho/store.h"
#include "mho/study.h"

#define MHO_RUNS_SQL(where, order, limit)                                                          \
  "SELECT id, coalesce(name, '') AS name, status, dataset, hidden, rule, device, scheme, seed, "   \
  "epochs_done, "                                                                                  \
  "final_test_acc, best_test_acc, wall_s, started FROM v_run " where " ORDER BY " order            \
  ", id DESC LIMIT " limit

enum { STUDY_RUNS = 1000, SEEDS = 5, EPOCHS = 50, LAYERS = 3 };

static mho_errinfo ei;

static void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, ei.message);
  exit(1);
}

static void check(sqlite3 *db, int rc) {
  if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
    fprintf(stderr, "%s\n", sqlite3_errmsg(db));
    exit(1);
  }
}

static uint32_t state = 1;
static double uniform(void) {
  state = state * 1664525u + 1013904223u;
  return (state >> 8) / 16777216.0;
}

/* A real config with two of its keys changed in the text. */
static char *config_text(void) {
  mho_registry *r;
  mho_config *c;
  mho_experiment *e;
  if (mho_registry_new(&r, &ei) || mho_config_new(&c, &ei) ||
      mho_config_text(c,
                      "device: soft_bounds\narray: {read_noise: 0.123}\nupdate: {scheme: pulses, "
                      "rate: 0.456}\n",
                      "b", &ei) ||
      mho_experiment_new(r, c, false, &e, &ei))
    die("config");
  return mho_experiment_json(e);
}

static void with_values(const char *config, double noise, double rate, char *out, size_t n) {
  const char *a = strstr(config, "0.123"), *b = strstr(config, "0.456");
  const char *first = a < b ? a : b, *second = a < b ? b : a;
  snprintf(out, n, "%.*s%.6g%.*s%.6g%s", (int)(first - config), config, a < b ? noise : rate,
           (int)(second - first - 5), first + 5, a < b ? rate : noise, second + 5);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *st;
  check(db, sqlite3_prepare_v2(db, sql, -1, &st, NULL));
  return st;
}

static void step(sqlite3 *db, sqlite3_stmt *st) {
  check(db, sqlite3_step(st));
  sqlite3_reset(st);
}

static void fill(const char *path, int runs) {
  mho_store *s;
  sqlite3 *db;
  char *config = config_text(), text[16384];
  if (mho_store_open(path, MHO_STORE_WRITE, &s, &ei))
    die("open");
  mho_store_close(s);
  int rc = sqlite3_open(path, &db);
  check(db, rc);
  check(db, sqlite3_exec(db, "PRAGMA synchronous=OFF; PRAGMA cache_size=-200000; BEGIN", NULL, NULL,
                         NULL));
  sqlite3_stmt *run = prepare(
      db,
      "INSERT INTO run(id, name, status, config, config_hash, point_hash, defaults_version, seed, "
      "data_checksum, code_version, blas, host, pid, started, ended, wall_s, epochs_done, "
      "final_test_acc, best_test_acc, best_epoch, train_acc, pulses, energy_j) VALUES(?1, ?2, ?3, "
      "?4, ?5, ?6, 1, ?7, 'd', 'bench', 'k', 'h', 1, strftime('%Y-%m-%dT%H:%M:%SZ', 1700000000 + "
      "?8, 'unixepoch'), '2026-01-01T00:00:00Z', ?9, 50, ?10, ?11, 40, ?12, ?13, ?14)");
  sqlite3_stmt *epoch = prepare(db, "INSERT INTO epoch(run_id, epoch, train_acc, test_acc, loss, "
                                    "settle_steps, unsettled, pulses, "
                                    "set_pulses, reset_pulses, clipped, reads, energy_j, wall_s, "
                                    "eval_s) VALUES(?1, ?2, ?3, ?4, ?5, "
                                    "10, 0, ?6, ?6, ?6, 0, 1e6, 1e-6, 0.1, 0.01)");
  sqlite3_stmt *layer = prepare(
      db,
      "INSERT INTO layer_epoch(run_id, epoch, layer, name, rows, cols, w_mean, w_std, w_absmax, "
      "g_mean, g_std, saturated, stuck, pulses) VALUES(?1, 50, ?2, 'x-h1', 64, 64, 0, 0.1, 1, "
      "2e-5, 1e-5, ?3, 0, 1e5)");
  sqlite3_stmt *study = prepare(
      db, "INSERT OR IGNORE INTO study(name, config) VALUES(?1, '{\"vary\":[{\"keys\":"
          "[\"array.read_noise\"]},{\"keys\":[\"update.rate\"]}],\"points\":[\"device.model\"]}')");
  sqlite3_stmt *member = prepare(db, "INSERT INTO study_run VALUES(?1, ?2, ?3)");
  static const char *const devices[] = {"soft_bounds", "linear", "nl_pulse", "ideal"};
  for (int i = 0; i < runs; i++) {
    char id[32], name[64], hash[65], point[65], study_name[32];
    int point_no = i / SEEDS, within = point_no % (STUDY_RUNS / SEEDS);
    double noise = 1e-4 * pow(10, (within / 4) % 10 / 3.0), rate = 1e-4 * (1 + (within / 40) % 5);
    const char *device = devices[within % 4];
    double quality = 0.97 - 3 * noise - 0.01 * (within % 4) + 0.005 * uniform();
    snprintf(id, sizeof id, "b%011d", i);
    snprintf(name, sizeof name, "study%d noise=%g", i / STUDY_RUNS, noise);
    snprintf(hash, sizeof hash, "%064d", i);
    snprintf(point, sizeof point, "%064x", (unsigned)point_no * 2654435761u);
    snprintf(study_name, sizeof study_name, "study%d", i / STUDY_RUNS);
    with_values(config, noise, rate, text, sizeof text);
    char *at = strstr(text, "soft_bounds");
    if (at) { /* another device's word in place */
      char rest[16384];
      snprintf(rest, sizeof rest, "%s%s", device, at + strlen("soft_bounds"));
      snprintf(at, sizeof text - (size_t)(at - text), "%s", rest);
    }
    sqlite3_bind_text(run, 1, id, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(run, 2, name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(run, 3, i % 97 ? "completed" : "diverged", -1, SQLITE_STATIC);
    sqlite3_bind_text(run, 4, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(run, 5, hash, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(run, 6, point, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(run, 7, i % SEEDS + 1);
    sqlite3_bind_int(run, 8, i * 60);
    sqlite3_bind_double(run, 9, 5 + uniform());
    sqlite3_bind_double(run, 10, quality);
    sqlite3_bind_double(run, 11, quality + 0.002);
    sqlite3_bind_double(run, 12, quality + 0.01);
    sqlite3_bind_double(run, 13, 1e6 * (1 + uniform()));
    sqlite3_bind_double(run, 14, 1e-5 * (1 + uniform() + within % 7));
    step(db, run);
    for (int e = 1; e <= EPOCHS; e++) {
      sqlite3_bind_text(epoch, 1, id, -1, SQLITE_STATIC);
      sqlite3_bind_int(epoch, 2, e);
      sqlite3_bind_double(epoch, 3, quality * (1 - 1.0 / (e + 1)));
      sqlite3_bind_double(epoch, 4, quality * (1 - 1.1 / (e + 1)));
      sqlite3_bind_double(epoch, 5, 2.0 / e + 0.01 * uniform());
      sqlite3_bind_double(epoch, 6, 1e4 * uniform());
      step(db, epoch);
    }
    for (int l = 0; l < LAYERS; l++) {
      sqlite3_bind_text(layer, 1, id, -1, SQLITE_STATIC);
      sqlite3_bind_int(layer, 2, l);
      sqlite3_bind_double(layer, 3, 0.1 * uniform());
      step(db, layer);
    }
    sqlite3_bind_text(study, 1, study_name, -1, SQLITE_STATIC);
    step(db, study);
    sqlite3_bind_text(member, 1, study_name, -1, SQLITE_STATIC);
    sqlite3_bind_text(member, 2, point, -1, SQLITE_STATIC);
    sqlite3_bind_text(member, 3, id, -1, SQLITE_STATIC);
    step(db, member);
  }

  check(db, sqlite3_exec(db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL));
  sqlite3_stmt *all[] = {run, epoch, layer, study, member};
  for (int i = 0; i < MHO_COUNT(all); i++)
    sqlite3_finalize(all[i]);
  sqlite3_close(db);
  free(config);
}

static bool count_row(void *user, int n, const char *const *names, const mho_cell *cells) {
  *(int *)user += cells != NULL;
  return true;
}

static void time_query(mho_store *s, const char *label, const char *sql, int n_args,
                       const char *const *args) {
  double best = 1e9, worst = 0;
  int rows = 0;
  for (int i = 0; i < 5; i++) {
    double start = mho_seconds();
    rows = 0;
    if (mho_store_query(s, sql, n_args, args, 0, count_row, &rows, &ei))
      die(label);
    double t = mho_seconds() - start;
    best = fmin(best, t);
    worst = fmax(worst, t);
  }
  printf("%-44s %8.1f ms best %8.1f ms worst %7d rows\n", label, 1e3 * best, 1e3 * worst, rows);
}

int main(int argc, char **argv) {
  int runs = argc > 1 ? atoi(argv[1]) : 100000;
  const char *path = argc > 2 ? argv[2] : "/tmp/mho-bench-store.db";
  if (access(path, F_OK)) {
    double start = mho_seconds();
    fill(path, runs);
    printf("filled in %.1f s\n", mho_seconds() - start);
  }

  mho_store *s;
  if (mho_store_open(path, MHO_STORE_READ, &s, &ei))
    die("open");
  FILE *f = fopen(path, "rb");
  fseek(f, 0, SEEK_END);
  printf("%d runs, %d epoch rows: %.1f MB, %.0f bytes a run\n", runs, runs * EPOCHS,
         (double)ftell(f) / 1e6, (double)ftell(f) / runs);
  fclose(f);
  const char *study = "study50";
  for (int i = 0; i < mho_store_named_count(); i++) {
    const mho_named_query *q = mho_store_named_at(i);
    time_query(s, q->name, q->sql, 1, &study);
  }

  time_query(s, "v_study of a study", "SELECT * FROM v_study WHERE study = ?1", 1, &study);
  time_query(s, "v_study of all", "SELECT count(*), avg(n), avg(test_acc_mean) FROM v_study", 0,
             NULL);
  time_query(
      s, "runs --where test_acc > 0.968 and device =",
      MHO_RUNS_SQL("WHERE (test_acc > 0.968 and device = 'soft_bounds')", "started DESC", "50"), 0,
      NULL);
  time_query(
      s, "runs --where device = (rare), sorted by accuracy",
      MHO_RUNS_SQL("WHERE (device = 'linear' and read_noise < 2e-4)", "best_test_acc DESC", "50"),
      0, NULL);
  time_query(s, "runs --where name like",
             MHO_RUNS_SQL("WHERE (name like 'study77 %')", "started DESC", "50"), 0, NULL);
  time_query(s, "runs, nothing matches", MHO_RUNS_SQL("WHERE (test_acc > 2)", "started DESC", "50"),
             0, NULL);
  time_query(s, "runs --where test_acc > 0.97 --sort test_acc",
             MHO_RUNS_SQL("WHERE (test_acc > 0.97)", "test_acc DESC", "50"), 0, NULL);
  time_query(s, "runs --where status = 'failed'",
             MHO_RUNS_SQL("WHERE (status = 'failed')", "started DESC", "50"), 0, NULL);
  time_query(s, "runs --json --where nothing matches",
             "SELECT * FROM v_run WHERE id IN (SELECT id FROM v_run WHERE (test_acc > 2) ORDER BY "
             "started DESC, id DESC LIMIT 50) ORDER BY started DESC, id DESC LIMIT 50",
             0, NULL);
  time_query(s, "runs --study --where (config key)",
             MHO_RUNS_SQL("WHERE id IN (SELECT run_id FROM study_run WHERE study = 'study50') AND "
                          "(json_extract(config, '$.device.step_up') > 2)",
                          "started DESC", "50"),
             0, NULL);
  time_query(
      s, "runs --where (config key, every run)",
      MHO_RUNS_SQL("WHERE (json_extract(config, '$.device.step_up') > 2)", "started DESC", "50"), 0,
      NULL);
  mho_store_close(s);
  if (argc < 3)
    unlink(path);
  return 0;
}
