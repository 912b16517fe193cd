/* store_test.h - a folder for each test of the run database, and short words for what they do in
 * it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_STORE_TEST_H
#define MHO_STORE_TEST_H

#include "mho/store.h"
#include "store/store_impl.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96]; /* of the test under way */

static pid_t parent; /* a child that fails must not run the other tests */

#define MUST(call)                                                                                 \
  do {                                                                                             \
    mho_err must_err = (call);                                                                     \
    if (must_err && getpid() != parent) {                                                          \
      fprintf(stderr, "%s: %s\n", #call, ei.message);                                              \
      _exit(1);                                                                                    \
    }                                                                                              \
    if (must_err)                                                                                  \
      fail_msg("%s: %s", #call, ei.message);                                                       \
  } while (0)

static int setup(void **state) {
  parent = getpid();
  strcpy(folder, "/tmp/mho-store-XXXXXX");
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/runs.db", folder);
  return 0;
}

/* The number of files in the folder. */
static int files(bool clear) {
  int n = 0;
  DIR *d = opendir(folder);
  for (struct dirent *e; (e = readdir(d));)
    if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
      n++;
      if (clear && unlinkat(dirfd(d), e->d_name, 0))
        unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
    }
  closedir(d);
  return n;
}

static int teardown(void **state) {
  chmod(folder, 0700);
  files(true);
  return rmdir(folder);
}

/* A call that must fail with `code` and a sentence that has `words` in it. */
#define FAILS(call, code, words)                                                                   \
  do {                                                                                             \
    ei.message[0] = 0;                                                                             \
    mho_err fails_err = (call);                                                                    \
    if (fails_err != (code) || !strstr(ei.message, words))                                         \
      fail_msg("%s: %d '%s', expected '%s'", #call, fails_err, ei.message, words);                 \
  } while (0)

static mho_store *open_ok(mho_store_mode mode) {
  mho_errinfo ei;
  mho_store *s;
  MUST(mho_store_open(path, mode, &s, &ei));
  return s;
}

static char *config_of(int seed, double scale) {
  static char text[512];
  snprintf(
      text, sizeof text,
      "{\"dataset\": {\"name\": \"digits\", \"path\": \"/d%d\"}, \"network\": {\"hidden\": [64, "
      "32]},\"feedback\": {\"scale\": %g}, \"settle\": {\"method\": \"sweep\", \"free\": "
      "10},\"update\": {\"rate\": 1e-3}, \"device\": {\"model\": \"soft_bounds\", \"chip_seed\": "
      "%d},\"array\": {\"model\": \"ideal\"}, \"train\": {\"batch\": 500, \"seed\": %d}}",
      seed, scale, seed, seed);
  return text;
}

static void begin(mho_store *s, const char *id, const char *name, int seed, double scale) {
  mho_errinfo ei;
  char hash[32];
  snprintf(hash, sizeof hash, "h%d-%g", seed, scale);
  mho_run_row run = {
      .name = (char *)(uintptr_t)name, .config = config_of(seed, scale), .config_hash = hash};
  run.final_test_acc = run.best_test_acc = run.train_acc = run.val_acc = (double)NAN;
  run.seed = seed;
  strcpy(run.id, id);
  MUST(mho_store_run_begin(s, &run, &ei));
}

/* The first value of a query, as text; "-" when there is no row or it is NULL. */
static bool keep_first(void *user, int n, const char *const *names, const mho_cell *c) {
  char *text = user;
  if (!c)
    return true;
  if (c->type == MHO_CELL_INT)
    snprintf(text, 128, "%lld", (long long)c->i);
  else if (c->type == MHO_CELL_REAL)
    snprintf(text, 128, "%.12g", c->d);
  else if (c->type == MHO_CELL_TEXT)
    snprintf(text, 128, "%s", c->text);
  else if (c->type == MHO_CELL_BLOB)
    snprintf(text, 128, "%zu bytes", c->size);
  return false;
}
static mho_err query(mho_store *s, const char *sql, char text[128], mho_errinfo *ei) {
  strcpy(text, "-");
  return mho_store_query(s, sql, 0, NULL, 60, keep_first, text, ei);
}
#define IS(sql, expected)                                                                          \
  do {                                                                                             \
    char is_text[128];                                                                             \
    OK(query(s, sql, is_text, &ei));                                                               \
    assert_string_equal(is_text, expected);                                                        \
  } while (0)

/* SQL through a connection of its own, as another program would. */
static sqlite3 *other(const char *sql) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  if (sqlite3_exec(db, sql, NULL, NULL, NULL))
    fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  return db;
}

#endif
