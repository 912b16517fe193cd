/* The run database: what goes in comes out, all or nothing.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store_test.h"

static void test_ids(void **state) {
  char last[MHO_ID_MAX] = "", id[MHO_ID_MAX];
  for (int i = 0; i < 5000; i++) {
    mho_store_new_id(id);
    assert_int_equal(strlen(id), 12);
    assert_int_equal(strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz"), 12);
    assert_true(strcmp(last, id) < 0);
    strcpy(last, id);
  }
}

static void test_run_round_trip(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  char name[] = "größe 'x'", hash[] = "abc", sum[] = "def", code[] = "0.1.0", blas[] = "SkylakeX",
       host[] = "h", start[] = "2026-01-02T03:04:05Z", why[] = "no\nluck", failed[] = "failed";
  mho_run_row a = {.id = "r1",
                   .name = name,
                   .config = config_of(3, .1),
                   .config_hash = hash,
                   .defaults_version = 2,
                   .seed = INT64_MIN,
                   .data_checksum = sum,
                   .code_version = code,
                   .blas = blas,
                   .host = host,
                   .pid = 1 << 22,
                   .started = start,
                   .wall_s = 1.5,
                   .final_test_acc = (double)NAN,
                   .best_test_acc = 1. / 3,
                   .train_acc = .5,
                   .val_acc = (double)NAN,
                   .best_epoch = 7,
                   .pulses = 1e12,
                   .energy_j = 0,
                   .epochs_done = 3};
  mho_run_row b, update = {.status = failed,
                           .wall_s = 9,
                           .epochs_done = 4,
                           .final_test_acc = .25,
                           .val_acc = (double)NAN,
                           .error = why,
                           .pid = 5};
  OK(mho_store_run_begin(s, &a, &ei));
  OK(mho_store_run_get(s, "r1", &b, &ei));
  assert_string_equal(b.status, "running");
  const char *texts[][2] = {
      {a.name, b.name},       {a.config, b.config},   {a.config_hash, b.config_hash},
      {sum, b.data_checksum}, {code, b.code_version}, {blas, b.blas},
      {host, b.host},         {start, b.started},     {a.id, b.id}};
  for (int i = 0; i < MHO_COUNT(texts); i++)
    assert_string_equal(texts[i][0], texts[i][1]);
  assert_true(b.seed == a.seed && b.pid == a.pid && b.defaults_version == 2 && b.wall_s == 1.5);
  assert_true(isnan(b.final_test_acc) && b.best_test_acc == 1. / 3 && b.train_acc == .5 &&
              isnan(b.val_acc));
  assert_true(b.best_epoch == 7 && b.pulses == 1e12 && b.energy_j == 0 && b.epochs_done == 3);
  assert_true(!b.ended && !b.error);
  mho_run_row_free(&b);
  IS("SELECT final_test_acc IS NULL FROM run", "1");

  OK(mho_store_write(s, "r1", &(mho_store_update){.run = &update}, &ei));
  OK(mho_store_run_get(s, "r1", &b, &ei));
  assert_string_equal(b.status, "failed");
  assert_string_equal(b.error, why);
  assert_true(b.ended && strlen(b.ended) == 24 && b.ended[23] == 'Z');
  assert_true(b.final_test_acc == .25 && b.epochs_done == 4 && b.wall_s == 9 && b.pid == 5);
  mho_run_row_free(&b);
  update.status = NULL; /* a resumed run loses its error */
  update.error = NULL;
  OK(mho_store_write(s, "r1", &(mho_store_update){.run = &update}, &ei));
  IS("SELECT status || coalesce(error, ' ok') FROM run", "failed ok");

  FAILS(mho_store_run_begin(s, &a, &ei), MHO_EINVAL, "already a run 'r1'");
  strcpy(a.id, "r2");
  a.config = name;
  FAILS(mho_store_run_begin(s, &a, &ei), MHO_EINVAL, "not a JSON object");
  FAILS(mho_store_run_get(s, "r2", &b, &ei), MHO_ENOTFOUND, "no run 'r2'");
  mho_store_close(s);
}

static void test_epoch_round_trip(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  enum { SIZE = 3000000 };
  char *blob = malloc(SIZE);
  for (int i = 0; i < SIZE; i++)
    blob[i] = (char)(i * 7 + (i >> 8));
  double nan_ = (double)NAN;
  mho_epoch_row e = {1, .1, .2, nan_, .3, 6.2, 4, 5e9, 6, 7, 8, 9, nan_, 10, 11};
  mho_layer_row l[2] = {{0, "x-h1", 64, 32, .1, .2, .3, 1e-6, 2e-6, .4, .5, 6, nan_},
                        {1, "h1-out", 32, 10}};
  mho_settle_row t[2] = {{1, "free", 5, 9, 1e-7, 1e-6, 1e-9, .9, -.4, 2, 1e-6, 3, 4},
                         {1, "nudged", 4, 8, 0, 0, nan_, nan_, nan_, 0, nan_, nan_, nan_}};
  mho_checkpoint_row c = {1, 12, {blob, SIZE}}, got;
  mho_store_update u = {&e, l, 2, 1, t, 2, NULL, 0, &c, true, NULL};
  begin(s, "r1", NULL, 1, .1);
  FAILS(mho_store_checkpoint_get(s, "r1", "last", &got, &ei), MHO_ENOTFOUND,
        "no checkpoint 'last'");
  OK(mho_store_write(s, "r1", &u, &ei));
  IS("SELECT group_concat(kind || epoch) FROM checkpoint",
     "last1"); /* the best one, too: stored once */
  OK(mho_store_checkpoint_get(s, "r1", "best", &got, &ei));
  assert_true(got.epoch == 1 && got.blob.size == SIZE);
  mho_blob_free(&got.blob);
  IS("SELECT concat FROM (SELECT epoch || ' ' || train_acc || ' ' || test_acc || ' ' || (val_acc "
     "IS NULL) || ' ' || loss || ' ' || settle_steps || ' ' || unsettled || ' ' || pulses || ' ' "
     "|| set_pulses || ' ' || reset_pulses || ' ' || clipped || ' ' || reads || ' ' || (energy_j "
     "IS NULL) || ' ' || wall_s || ' ' || eval_s AS concat FROM epoch)",
     "1 0.1 0.2 1 0.3 6.2 4 5000000000.0 6.0 7.0 8.0 9.0 1 10.0 11.0");
  IS("SELECT name || rows || ' ' || cols || ' ' || w_mean || ' ' || w_std || ' ' || w_absmax || ' "
     "' || g_mean || ' ' || g_std || ' ' || saturated || ' ' || stuck || ' ' || pulses || (cosine "
     "IS NULL) FROM layer_epoch",
     "x-h164 32 0.1 0.2 0.3 1.0e-06 2.0e-06 0.4 0.5 6.01");
  IS("SELECT group_concat(coalesce(kirchhoff || ' ' || dissipated || ' ' || supplied, '?')) FROM "
     "settle",
     "1.0e-06 3.0 4.0,?");
  IS("SELECT group_concat(phase || steps_mean || unsettled || coalesce(lyapunov, '?')) FROM settle",
     "free5.02-0.4,nudged4.00?");
  e.epoch = l[0].layer = 2; /* not the best any more; an epoch trained again replaces its row */
  c = (mho_checkpoint_row){2, 0, {NULL, 0}};
  u = (mho_store_update){.epoch = &e, .last = &c};
  OK(mho_store_write(s, "r1", &u, &ei));
  e.loss = 77;
  OK(mho_store_write(s, "r1", &u, &ei));
  IS("SELECT group_concat(loss) FROM epoch", "0.3,77.0");
  IS("SELECT group_concat(kind || epoch, ' ') FROM (SELECT * FROM checkpoint ORDER BY kind)",
     "best1 last2");
  OK(mho_store_checkpoint_get(s, "r1", "last", &got, &ei));
  assert_true(got.epoch == 2 && got.batch == 0 && got.blob.size == 0);
  mho_blob_free(&got.blob);
  OK(mho_store_checkpoint_get(s, "r1", "best", &got, &ei));
  assert_true(got.epoch == 1 && got.batch == 12 && got.blob.size == SIZE);
  assert_memory_equal(got.blob.data, blob, SIZE);
  mho_blob_free(&got.blob);

  mho_cosim_row cosim = {
      "crossbar", "column current", "A", "column 3", 10, 1e-9, 1e-6, 1e-10, 1e-5, true, .1, .2};
  OK(mho_store_cosim(s, "r1", &cosim, &ei));
  OK(mho_store_artifact(s, "r1", "netlist", "a.cir", "old", 3, &ei));
  OK(mho_store_artifact(s, "r1", "netlist", "a.cir", blob, SIZE, &ei));
  IS("SELECT data FROM artifact", "3000000 bytes");
  IS("SELECT what || place || n || pass FROM cosim WHERE created GLOB '20*Z'",
     "crossbarcolumn 3101");
  FAILS(mho_store_cosim(s, "r9", &cosim, &ei), MHO_ENOTFOUND, "no run 'r9'");
  FAILS(mho_store_artifact(s, "r9", "a", "b", "", 0, &ei), MHO_ENOTFOUND, "no run 'r9'");
  OK(mho_store_check(s, &ei));
  mho_store_close(s);

  s = open_ok(MHO_STORE_READ);
  FAILS(mho_store_write(s, "r1", &u, &ei), MHO_EINVAL, "for reading only");
  mho_store_close(s);
  sqlite3_close(other("PRAGMA foreign_keys = ON; DELETE FROM run"));
  s = open_ok(MHO_STORE_READ); /* everything goes with its run */
  IS("SELECT (SELECT count(*) FROM epoch) + (SELECT count(*) FROM layer_epoch) + (SELECT count(*) "
     "FROM settle) + (SELECT count(*) FROM checkpoint) + (SELECT count(*) FROM cosim) + (SELECT "
     "count(*) FROM artifact)",
     "0");
  mho_store_close(s);
  free(blob);
}

static void test_all_or_nothing(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  mho_epoch_row e = {.epoch = 1};
  mho_checkpoint_row c = {
      1, 0, {&e, (size_t)2000000000}}; /* more than a value may have; not read */
  char sleeping[] = "sleeping";
  mho_run_row run = {.status = sleeping};
  begin(s, "r1", NULL, 1, .1);
  FAILS(mho_store_write(s, "nobody", &(mho_store_update){.epoch = &e}, &ei), MHO_ENOTFOUND,
        "no run 'nobody'");
  FAILS(mho_store_write(s, "r1", &(mho_store_update){.epoch = &e, .run = &run}, &ei), MHO_ESTORE,
        "CHECK");
  FAILS(mho_store_write(s, "r1", &(mho_store_update){.epoch = &e, .last = &c}, &ei), MHO_ESTORE,
        "1 GB");
  IS("SELECT count(*) FROM epoch", "0");
  OK(mho_store_write(s, "r1", &(mho_store_update){.epoch = &e}, &ei));
  IS("SELECT count(*) FROM epoch", "1");
  mho_store_close(s);
}

static void test_find(void **state) {
  mho_errinfo ei;
  char id[MHO_ID_MAX];
  mho_store *s = open_ok(MHO_STORE_WRITE);
  FAILS(mho_store_find(s, "last", id, &ei), MHO_ENOTFOUND, "no runs yet");
  static const char *const runs[][2] = {
      {"aa1", "deep"}, {"aa2", "deep"}, {"ab1", "aa1"}, {"ac1", NULL}, {"b", "shallow"}};
  for (int i = 0; i < MHO_COUNT(runs); i++)
    begin(s, runs[i][0], runs[i][1], i, .1);
  static const char *const refs[][2] = {
      {"aa1", "aa1"}, {"deep", "aa2"}, {"ab", "ab1"}, {"last", "b"}, {"ac1", "ac1"}};
  for (int i = 0; i < MHO_COUNT(refs); i++) {
    OK(mho_store_find(s, refs[i][0], id, &ei));
    assert_string_equal(id, refs[i][1]);
  }
  FAILS(mho_store_find(s, "a", id, &ei), MHO_EINVAL,
        "fits 4 runs: ac1, ab1 (aa1), aa2 (deep), aa1 (deep); give more");
  FAILS(mho_store_find(s, "shalow", id, &ei), MHO_ENOTFOUND, "near to it are 'shallow'; mho runs");
  FAILS(mho_store_find(s, "AA1", id, &ei), MHO_ENOTFOUND, "'AA1'");
  FAILS(mho_store_find(s, "%", id, &ei), MHO_ENOTFOUND, "'%'; mho runs");
  FAILS(mho_store_find(s, "", id, &ei), MHO_EINVAL, "empty");
  assert_string_equal(id, "");
  mho_store_close(s);
}

static void finish(mho_store *s, const char *id, const char *status, double acc) {
  mho_errinfo ei;
  mho_run_row run = {
      .status = (char *)(uintptr_t)status, .final_test_acc = acc, .best_test_acc = acc};
  OK(mho_store_write(s, id, &(mho_store_update){.run = &run}, &ei));
}

static void test_views(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  static const double acc[] = {.96, .97, .98};
  for (int i = 0; i < 3; i++) {
    char id[MHO_ID_MAX] = {'a', (char)('0' + i)};
    begin(s, id, "point", i, .1);
    finish(s, id, "completed", acc[i]);
  }
  begin(s, "b0", NULL, 0, .1); /* seed 0 again: counts instead of the first */
  finish(s, "b0", "completed", .99);
  begin(s, "b1", NULL, 9, .1);
  finish(s, "b1", "diverged", .1);
  begin(s, "c0", NULL, 0, .2);
  IS("SELECT group_concat(dataset || hidden || feedback_scale || settle_method || settle_free || "
     "device || array || batch || rate || (neuron IS NULL)) FROM v_run WHERE seed = 2",
     "digits[64,32]0.1sweep10soft_boundsideal5000.0011");
  IS("SELECT count(*) FROM v_run WHERE test_acc > 0.965 AND device = 'soft_bounds'", "3");
  IS("SELECT n || ' ' || diverged || ' ' || unfinished || ' ' || round(test_acc_mean, 9) FROM "
     "v_study WHERE feedback_scale = 0.1 AND study IS NULL",
     "3 1 0 0.98");
  IS("SELECT round(best_test_acc_std, 9) FROM v_study WHERE feedback_scale = 0.1", "0.01");
  IS("SELECT n || unfinished || coalesce(test_acc_mean, '?') || coalesce(test_acc_std, '?') FROM "
     "v_study WHERE feedback_scale = 0.2",
     "01??");
  OK(mho_store_study(s, "sweep", "{}", &ei));
  OK(mho_store_study(s, "sweep", "{\"grid\": 1}", &ei));
  OK(mho_store_study(s, "other", "{}", &ei));
  for (int i = 0; i < 2;
       i++) { /* the newer run of seed 0 is not in the study and takes nothing away from it */
    OK(mho_store_study_add(s, "sweep", "a0", &ei));
    OK(mho_store_study_add(s, "sweep", "a1", &ei));
  }
  OK(mho_store_study_add(s, "other", "a1", &ei));
  IS("SELECT group_concat(coalesce(study, '-') || n || round(test_acc_mean, 9), ' ') FROM (SELECT "
     "* FROM v_study WHERE feedback_scale = 0.1 ORDER BY study)",
     "-20.985 other10.97 sweep20.965");
  IS("SELECT config FROM study WHERE name = 'sweep'", "{\"grid\": 1}");
  FAILS(mho_store_study_add(s, "sweep", "zz", &ei), MHO_ENOTFOUND, "no run 'zz'");
  FAILS(mho_store_study_add(s, "swoop", "a0", &ei), MHO_ENOTFOUND, "no study 'swoop'");
  FAILS(mho_store_study(s, "sweep", "{", &ei), MHO_EINVAL, "not JSON");
  mho_store_close(s);
}

/* ---------------------------------------------------------------- queries */

struct seen {
  mho_store *s;
  int calls, n;
  char names[64];
};
static bool look(void *user, int n, const char *const *names, const mho_cell *c) {
  struct seen *seen = user;
  mho_errinfo ei;
  mho_store *s = seen->s;
  if (!seen->calls++) {
    assert_null(c);
    seen->n = n;
    snprintf(seen->names, sizeof seen->names, "%s %s", names[0], names[n - 1]);
    return true;
  }
  assert_int_equal(c[0].type, MHO_CELL_INT);
  assert_int_equal(c[1].type, MHO_CELL_REAL);
  assert_string_equal(c[2].text, "x");
  assert_int_equal(c[3].type, MHO_CELL_BLOB);
  assert_int_equal(c[3].size, 5);
  assert_int_equal(c[4].type, MHO_CELL_NULL);
  IS("SELECT count(*) FROM run", "1"); /* from within */
  return seen->calls < 3;
}

static void test_query(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  begin(s, "r1", "one", 1, .1);
  finish(s, "r1", "completed", .5);
  static const char *const bad[] = {"DELETE FROM run",
                                    "INSERT INTO study(name, config) VALUES('a', '{}')",
                                    "PRAGMA user_version = 9",
                                    "PRAGMA journal_mode = DELETE",
                                    "PRAGMA wal_checkpoint",
                                    "PRAGMA writable_schema = ON",
                                    "VACUUM",
                                    "BEGIN",
                                    "SAVEPOINT a",
                                    "ATTACH '/tmp/mho-not-there.db' AS x",
                                    "CREATE TEMP TABLE t(a)",
                                    "ANALYZE",
                                    "REINDEX",
                                    "DROP VIEW v_run",
                                    "SELECT load_extension('x')",
                                    "EXPLAIN DELETE FROM run",
                                    "WITH a AS (SELECT 1) UPDATE run SET name = 'x'",
                                    "PRAGMA optimize",
                                    "PRAGMA query_only = OFF",
                                    "INSERT INTO run(id) VALUES('a') RETURNING id",
                                    "PRAGMA foreign_keys = OFF"};
  for (int mode = 0; mode < 2; mode++) {
    char text[128];
    for (int i = 0; i < MHO_COUNT(bad); i++)
      if (query(s, bad[i], text, &ei) != MHO_EINVAL ||
          !strstr(ei.message, "only a statement that reads"))
        fail_msg("%s: %s", bad[i], ei.message);
    FAILS(query(s, "SELECT 1; SELECT 2", text, &ei), MHO_EINVAL, "more than one statement");
    FAILS(query(s, "SELECT 1; DELETE FROM run", text, &ei), MHO_EINVAL, "more than one statement");
    FAILS(query(s, "SELECT 1; nonsense", text, &ei), MHO_EINVAL, "more than one statement");
    FAILS(query(s, " ; -- nothing", text, &ei), MHO_EINVAL, "empty");
    FAILS(query(s, "; SELECT nam FROM run", text, &ei), MHO_EINVAL,
          "no such column: nam, at 'nam FROM run'");
    FAILS(query(s, "SELECT \"one\" FROM run", text, &ei), MHO_EINVAL, "'single quotes'");
    FAILS(query(s, "SELECT 1 FROM runs", text, &ei), MHO_EINVAL, "there are run, epoch");
    FAILS(query(s, "SELECT abs(-9223372036854775807 - 1)", text, &ei), MHO_EINVAL,
          "integer overflow");
    FAILS(query(s, "SELECT ?1", text, &ei), MHO_EINVAL, "1 value (?1, ?2, ...), 0 given");
    IS(" /* c */ ; SELECT 7 ; -- end", "7");
    char version[16];
    snprintf(version, sizeof version, "%d", mho_store_schema_version());
    IS("PRAGMA user_version", version);
    IS("SELECT count(*) > 9 FROM pragma_table_info('run')", "1");
    IS("SELECT value FROM run, json_each(config, '$.network.hidden')", "64");
    double t = mho_seconds();
    FAILS(mho_store_query(s,
                          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
                          "count(*) FROM n",
                          0, NULL, .1, keep_first, text, &ei),
          MHO_ESTORE, "stopped after 0.1 s");
    assert_true(mho_seconds() - t < 5);
    const char *args[] = {"r1", "0.4"};
    OK(mho_store_query(s, "SELECT name FROM run WHERE id = ?1 AND final_test_acc > ?2", 2, args, 0,
                       keep_first, text, &ei));
    assert_string_equal(text, "one");
    struct seen seen = {.s = s};
    OK(mho_store_query(
        s, "SELECT 1 AS a, 1.5, 'x', zeroblob(5), NULL AS z FROM (VALUES(1), (2), (3), (4))", 0,
        NULL, 0, look, &seen, &ei));
    assert_int_equal(seen.calls, 3);
    assert_int_equal(seen.n, 5);
    assert_string_equal(seen.names, "a z");
    mho_store_close(s);
    s = open_ok(MHO_STORE_READ);
  }
  mho_store_close(s);
  assert_int_not_equal(access("/tmp/mho-not-there.db", F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_ids),
      TEST(test_run_round_trip),
      TEST(test_epoch_round_trip),
      TEST(test_all_or_nothing),
      TEST(test_find),
      TEST(test_views),
      TEST(test_query),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
