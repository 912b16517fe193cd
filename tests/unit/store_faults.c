/* The run database: every way it can fail has its own words, and leaves what was there as it was.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store_test.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static const mho_store_options hasty = {.busy_ms = 50, .version = MHO_STORE_VERSION};
static mho_err open_hasty(mho_store_mode mode, mho_store **s, mho_errinfo *ei) {
  return mho__store_open_with(path, mode, &hasty, s, ei);
}

static void spit(const void *data, size_t n, off_t at) {
  int fd = open(path, O_WRONLY | O_CREAT, 0644);
  assert_int_equal(pwrite(fd, data, n, at), n);
  close(fd);
}
static char *slurp(size_t *n) {
  int fd = open(path, O_RDONLY);
  struct stat st;
  assert_int_equal(fstat(fd, &st), 0);
  char *data = malloc((size_t)st.st_size + 1);
  *n = (size_t)read(fd, data, (size_t)st.st_size);
  close(fd);
  return data;
}

/* ---------------------------------------------------------------- refusals */

static void test_no_such_place(void **state) {
  mho_errinfo ei;
  mho_store *s;
  char deep[160];
  FAILS(open_hasty(MHO_STORE_READ, &s, &ei), MHO_ESTORE, "there is no run database");
  assert_null(s);
  assert_int_equal(files(false), 0);
  FAILS(mho_store_open(folder, MHO_STORE_WRITE, &s, &ei), MHO_ESTORE, "is a folder");
  FAILS(mho_store_open("/dev/null", MHO_STORE_READ, &s, &ei), MHO_ESTORE, "not a regular file");
  FAILS(mho_store_open("", MHO_STORE_READ, &s, &ei), MHO_EINVAL, "empty name");
  FAILS(mho_store_open("/proc/mho/runs.db", MHO_STORE_WRITE, &s, &ei), MHO_ESTORE,
        "cannot make the folder '/proc/mho'");
  spit("x", 1, 0);
  snprintf(deep, sizeof deep, "%s/sub/runs.db", path);
  FAILS(mho_store_open(deep, MHO_STORE_WRITE, &s, &ei), MHO_ESTORE, "Not a directory");
  FAILS(mho_store_open(deep, MHO_STORE_READ, &s, &ei), MHO_ESTORE, "there is no run database");
  assert_int_equal(truncate(path, 0), 0);
  FAILS(open_hasty(MHO_STORE_READ, &s, &ei), MHO_ESTORE, "is empty");
  mho_store_close(open_ok(MHO_STORE_WRITE)); /* an empty file may become one */
}

/* Names that mean something in a URI, and folders that are made. */
static void test_odd_names(void **state) {
  mho_errinfo ei;
  static const char *const names[] = {"a?mode=memory", "b#c", "d%41", "file:e", "f g"};
  char cwd[512], name[160];
  assert_non_null(getcwd(cwd, sizeof cwd));
  for (int i = 0; i < MHO_COUNT(names); i++)
    for (int relative = 0; relative < 2; relative++) {
      mho_store *s;
      snprintf(name, sizeof name, relative ? "%.0s%s" : "%s/%s", folder, names[i]);
      assert_int_equal(chdir(folder), 0);
      OK(mho_store_open(name, MHO_STORE_WRITE, &s, &ei));
      begin(s, relative ? "r2" : "r1", NULL, 1, .1);
      mho_store_close(s);
      assert_int_equal(access(names[i], F_OK), 0);
      assert_int_equal(chdir(cwd), 0);
    }

  assert_int_equal(files(false), MHO_COUNT(names));
  snprintf(name, sizeof name, "%s//x/y/runs.db", folder);
  mho_store *s;
  OK(mho_store_open(name, MHO_STORE_WRITE, &s, &ei));
  mho_store_close(s);
  assert_int_equal(unlink(name), 0);
  snprintf(name, sizeof name, "%s/x/y", folder);
  assert_int_equal(rmdir(name), 0);
}

static void test_not_ours(void **state) {
  mho_errinfo ei;
  mho_store *s;
  char text[5000], junk[96];
  memset(text, 'x', sizeof text);
  memset(junk, 'y', sizeof junk);
  static const char *const foreign[] = {
      "PRAGMA application_id = 42; CREATE TABLE t(a); INSERT INTO t VALUES(1)",
      "CREATE TABLE t(a)", /* no application id */
      "PRAGMA journal_mode = WAL; CREATE TABLE run(id); PRAGMA wal_checkpoint",
      "PRAGMA application_id = 43", /* no table, but somebody's */
  };
  for (int i = -1; i < MHO_COUNT(foreign); i++) {
    size_t n, m;
    const char *words = i < 0 ? "not an SQLite database" : "not one of mho's (application id";
    files(true);
    if (i < 0)
      spit(text, sizeof text, 0);
    else
      sqlite3_close(other(foreign[i]));
    if (i == 0) { /* a journal left by a crash is theirs to roll back */
      char journal[128];
      snprintf(journal, sizeof journal, "%s-journal", path);
      int fd = open(journal, O_WRONLY | O_CREAT, 0644);
      assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
      close(fd);
    }
    char *before = slurp(&n);
    int left = files(false);
    FAILS(open_hasty(MHO_STORE_WRITE, &s, &ei), MHO_ESTORE, words);
    FAILS(open_hasty(MHO_STORE_READ, &s, &ei), MHO_ESTORE, words);
    char *after = slurp(&m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    assert_int_equal(files(false), left);
    free(before);
    free(after);
  }

  files(true);
  sqlite3_close(other("CREATE TABLE t(a); DROP TABLE t; VACUUM")); /* nobody's */
  mho_store_close(open_ok(MHO_STORE_WRITE));
}

static void test_versions(void **state) {
  enum { NOW = MHO_STORE_VERSION, LATER = NOW + 2 };
  mho_errinfo ei;
  char older[64], newer[80], number[16];
  snprintf(older, sizeof older, "older mho (schema %d, this one reads %d)", NOW, LATER);
  snprintf(newer, sizeof newer,
           "was written by a newer mho (schema %d, this one knows %d): update mho", LATER, NOW);
  snprintf(number, sizeof number, "%d", LATER);
  mho_store *s = open_ok(MHO_STORE_WRITE);
  begin(s, "r1", NULL, 1, .1);
  mho_store_close(s);
  static const char *const steps[] = {
      [NOW] = "ALTER TABLE run ADD COLUMN x INTEGER; UPDATE run SET x = 5",
      [NOW + 1] = "CREATE TABLE y(a); INSERT INTO y SELECT x + 1 FROM run"};
  static const char *const broken[] = {[NOW] = "ALTER TABLE run ADD COLUMN x INTEGER",
                                       [NOW + 1] = "CREATE NONSENSE"};
  mho_store_options later = {50, LATER, steps}, bad = {50, LATER, broken};
  FAILS(mho__store_open_with(path, MHO_STORE_READ, &later, &s, &ei), MHO_ESTORE, older);
  FAILS(mho__store_open_with(path, MHO_STORE_WRITE, &bad, &s, &ei), MHO_ESTORE, "migrate");
  s = open_ok(MHO_STORE_READ);
  IS("SELECT count(*) FROM pragma_table_info('run') WHERE name = 'x'",
     "0"); /* all or nothing here, too */
  mho_store_close(s);
  OK(mho__store_open_with(path, MHO_STORE_WRITE, &later, &s, &ei));
  IS("SELECT a FROM y", "6");
  IS("PRAGMA user_version", number);
  mho_store_close(s);
  for (int mode = MHO_STORE_READ; mode <= MHO_STORE_WRITE; mode++)
    FAILS(open_hasty((mho_store_mode)mode, &s, &ei), MHO_ESTORE, newer);
  files(true); /* a new database goes all the way */
  OK(mho__store_open_with(path, MHO_STORE_WRITE, &later, &s, &ei));
  IS("PRAGMA user_version", number);
  mho_store_close(s);
}

/* Takes out what a database of version 1 lacks. */
static const char first_version[] =
    "DROP TABLE energy_epoch; DROP TABLE control; DROP TABLE settle_sample; DROP TABLE prediction; "
    "ALTER TABLE settle DROP COLUMN energy_j; ALTER TABLE settle DROP COLUMN kirchhoff; "
    "ALTER TABLE settle DROP COLUMN dissipated; ALTER TABLE settle DROP COLUMN supplied; "
    "ALTER TABLE checkpoint DROP COLUMN is_best; ALTER TABLE layer_epoch DROP COLUMN w_range; "
    "ALTER TABLE layer_epoch DROP COLUMN w_error; ALTER TABLE layer_epoch DROP COLUMN clipped; "
    "ALTER TABLE layer_epoch DROP COLUMN importance_mean; ALTER TABLE layer_epoch DROP COLUMN "
    "importance_std; "
    "ALTER TABLE layer_epoch DROP COLUMN g_hist; ALTER TABLE epoch DROP COLUMN truncated; ALTER "
    "TABLE epoch DROP COLUMN verify_reads; ALTER TABLE epoch DROP COLUMN test_loss; ALTER TABLE "
    "epoch DROP COLUMN val_loss; ALTER TABLE epoch DROP COLUMN test_rms; PRAGMA user_version = 1";

/* A database of the time before energy was counted gets its table, as a new one has it. */
static void test_energy_table(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  mho_store_close(s);
  static const char columns[] = "SELECT group_concat(name || type || pk || \"notnull\", ' ') FROM "
                                "pragma_table_info('energy_epoch')";
  static const char want[] =
      "run_idTEXT11 epochINTEGER21 termTEXT31 jouleREAL00 secondsREAL00 countREAL00 samplesREAL00";
  s = open_ok(MHO_STORE_READ);
  IS(columns, want);
  mho_store_close(s);
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, first_version, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  s = open_ok(MHO_STORE_WRITE);
  IS(columns, want);
  mho_store_close(s);
}

/* Every column of every table and index, with its place, type, whether it may be NULL; triggers
 * and views. */
static void all_columns(char *text, size_t n) {
  static const char sql[] =
      "SELECT group_concat(line, char(10)) FROM (SELECT m.name || '.' || c.cid || c.name || "
      "c.type || c.\"notnull\" || c.pk || c.hidden AS line FROM sqlite_schema AS m, "
      "pragma_table_xinfo(m.name) AS c WHERE m.type = 'table' UNION SELECT m.name || ':' || "
      "c.seqno || coalesce(c.name, '') || c.\"desc\" FROM sqlite_schema AS m, "
      "pragma_index_xinfo(m.name) AS c WHERE m.type = 'index' UNION SELECT type || ' ' || name || "
      "' ' || sql FROM sqlite_schema WHERE type IN ('trigger', 'view') AND name <> 'run_keys' "
      "UNION SELECT type || ' ' || name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY "
      "1)";
  sqlite3 *db;
  sqlite3_stmt *st;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(st), SQLITE_ROW);
  snprintf(text, n, "%s", (const char *)sqlite3_column_text(st, 0));
  sqlite3_finalize(st);
  sqlite3_close(db);
}

/* What a database of version 1 lacks is added, and its rows stay. */
static void test_first_version(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  mho_settle_row row = {.epoch = 1, .phase = "free", .steps_mean = 7};
  begin(s, "r1", NULL, 1, .1);
  OK(mho_store_write(s, "r1", &(mho_store_update){.settles = &row, .n_settles = 1}, &ei));
  mho_store_close(s);
  char fresh[16384], migrated[16384];
  all_columns(fresh, sizeof fresh);
  sqlite3_close(other(first_version));
  s = open_ok(MHO_STORE_WRITE);
  all_columns(migrated, sizeof migrated);
  assert_string_equal(migrated, fresh);
  IS("SELECT count(*) FROM run WHERE id = 'r1' AND dataset IS json_extract(config, "
     "'$.dataset.name')",
     "1");
  IS("SELECT steps_mean || coalesce(energy_j, ' none') FROM settle", "7.0 none");
  mho_settle_sample sample = {
      .epoch = 1, .phase = "free", .sample = 3, .settled = true, .time_s = 1e-6, .energy_j = NAN};
  OK(mho_store_write(s, "r1", &(mho_store_update){.samples = &sample, .n_samples = 1}, &ei));
  IS("SELECT sample || ' ' || settled || ' ' || time_s || coalesce(energy_j, ' none') FROM "
     "settle_sample",
     "3 1 1.0e-06 none");
  mho_store_close(s);
}

static void test_schema(void **state) {
  sqlite3 *db = other(mho_store_schema());
  sqlite3_close(db);
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_READ); /* not one to roll back into a log */
  char version[16];
  snprintf(version, sizeof version, "%d", mho_store_schema_version());
  IS("PRAGMA user_version", version);
  IS("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%STRICT%' AND name "
     "NOT LIKE 'sqlite%'",
     "0");
  mho_store_close(s);
  s = open_ok(MHO_STORE_WRITE);
  assert_int_equal(files(false), 3);         /* with its log */
  IS("PRAGMA application_id", "1835560753"); /* "mho1" */
  mho_store_close(s);
}

static void test_locked(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE), *t;
  mho_epoch_row e = {.epoch = 1};
  begin(s, "r1", NULL, 1, .1);
  mho_store_close(s);
  OK(open_hasty(MHO_STORE_WRITE, &s, &ei));
  sqlite3 *db = other("BEGIN EXCLUSIVE; DELETE FROM run");
  FAILS(mho_store_write(s, "r1", &(mho_store_update){.epoch = &e}, &ei), MHO_ESTORE,
        "locked by another process (waited 0.05 s)");
  OK(open_hasty(MHO_STORE_READ, &t, &ei)); /* readers go on */
  IS("SELECT count(*) FROM run", "1");
  mho_store_close(t);
  sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  OK(mho_store_write(s, "r1", &(mho_store_update){.epoch = &e}, &ei));
  mho_store_close(s);
  sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT", NULL, NULL, NULL);
  FAILS(open_hasty(MHO_STORE_WRITE, &s, &ei), MHO_ESTORE, "locked by another process");
  FAILS(open_hasty(MHO_STORE_READ, &s, &ei), MHO_ESTORE, "locked by another process");
  sqlite3_close(db);
  mho_store_close(open_ok(MHO_STORE_READ));
}

static void test_disk_full(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  enum { SIZE = 1 << 20 };
  char *blob = calloc(1, SIZE);
  mho_epoch_row e = {.epoch = 1};
  mho_checkpoint_row c = {1, 0, {blob, 100}};
  mho_store_update u = {.epoch = &e, .last = &c};
  begin(s, "r1", NULL, 1, .1);
  OK(mho_store_write(s, "r1", &u, &ei));
  sqlite3_exec(s->db, "PRAGMA max_page_count = 60", NULL, NULL, NULL);
  e.epoch = c.epoch = 2;
  c.blob.size = SIZE;
  FAILS(mho_store_write(s, "r1", &u, &ei), MHO_EDISK, "is full; nothing already stored is harmed");
  IS("SELECT max(epoch) || (SELECT length(data) FROM checkpoint) FROM epoch", "1100");
  OK(mho_store_check(s, &ei));
  sqlite3_exec(s->db, "PRAGMA max_page_count = 1000000", NULL, NULL, NULL);
  OK(mho_store_write(s, "r1", &u, &ei)); /* and on it goes */
  mho_store_close(s);
  free(blob);
}

static void test_damaged(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  mho_layer_row l[40] = {0};
  for (int i = 0; i < 40; i++)
    l[i].layer = i;
  begin(s, "r1", NULL, 1, .1);
  for (int i = 0; i < 200; i++)
    OK(mho_store_write(s, "r1", &(mho_store_update){.layers = l, .n_layers = 40, .layers_epoch = i},
                       &ei));
  mho_store_close(s);
  size_t n;
  char *whole = slurp(&n), junk[4096], text[128];
  memset(junk, 0x5a, sizeof junk);
  assert_true(n > 40 * 4096);
  for (size_t page = 30; page < n / 4096;
       page++) /* past the schema and the first pages of all tables */
    spit(junk, sizeof junk, (off_t)(page * 4096));
  s = open_ok(MHO_STORE_READ);
  FAILS(mho_store_check(s, &ei), MHO_ESTORE, "is damaged");
  FAILS(query(s, "SELECT sum(w_mean) FROM layer_epoch", text, &ei), MHO_ESTORE, "is damaged");
  mho_store_close(s);
  spit(whole, n, 0);
  spit(junk, 20, 18); /* the header, but not its first words */
  for (int mode = MHO_STORE_READ; mode <= MHO_STORE_WRITE; mode++)
    FAILS(open_hasty((mho_store_mode)mode, &s, &ei), MHO_ESTORE, "damaged");
  spit(whole, n, 0);
  sqlite3_close(other("PRAGMA foreign_keys = OFF; DELETE FROM run"));
  s = open_ok(MHO_STORE_READ);
  FAILS(mho_store_check(s, &ei), MHO_ESTORE, "table layer_epoch belongs to no run");
  mho_store_close(s);
  free(whole);
}

/* ---------------------------------------------------------------- without permission */

/* fn in a child that is not root; its sentence comes back. The folder is the child's. */
static mho_err as_nobody(mho_err (*fn)(mho_errinfo *), mho_errinfo *ei) {
  struct answer {
    mho_err err;
    mho_errinfo ei;
  } a = {MHO_OK, {""}};
  int pipes[2];
  assert_int_equal(pipe(pipes), 0);
  pid_t child = fork();
  if (!child) {
    if (!geteuid() && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
      _exit(1);
    a.err = fn(&a.ei);
    _exit(write(pipes[1], &a, sizeof a) != sizeof a);
  }
  close(pipes[1]);
  int status;
  waitpid(child, &status, 0);
  assert_int_equal(read(pipes[0], &a, sizeof a), sizeof a);
  close(pipes[0]);
  *ei = a.ei;
  return a.err;
}

static mho_err try_write(mho_errinfo *ei) {
  mho_store *s;
  mho_err err = open_hasty(MHO_STORE_WRITE, &s, ei);
  mho_store_close(s);
  return err;
}
/* Reads the one run there is. */
static mho_err try_read(mho_errinfo *ei) {
  mho_store *s;
  char text[128];
  mho_err err = open_hasty(MHO_STORE_READ, &s, ei);
  if (!err)
    err = query(s, "SELECT count(*) FROM v_run", text, ei);
  if (!err && strcmp(text, "1"))
    err = mho_fail(ei, MHO_EINVAL, "there are %s runs", text);
  mho_store_close(s);
  return err;
}
/* A file size limit in place of a quota. */
static mho_err try_limit(mho_errinfo *ei) {
  mho_store *s;
  char *blob = calloc(1, 1 << 22);
  mho_checkpoint_row c = {1, 0, {blob, 1 << 22}};
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 20});
  mho_err err = open_hasty(MHO_STORE_WRITE, &s, ei);
  if (!err)
    err = mho_store_write(s, "r1", &(mho_store_update){.last = &c}, ei);
  mho_store_close(s);
  free(blob);
  return err;
}

static void test_permissions(void **state) {
  mho_errinfo ei;
  mho_store *s;
  char wal[128];
  snprintf(wal, sizeof wal, "%s-wal", path);
  chmod(folder, 0555);
  FAILS(as_nobody(try_write, &ei), MHO_ESTORE, "cannot write in the folder");
  chmod(folder, 0755);
  s = open_ok(MHO_STORE_WRITE);
  begin(s, "r1", NULL, 1, .1);
  mho_store_close(s);
  chmod(path, 0444);
  chmod(folder, 0777);
  FAILS(as_nobody(try_write, &ei), MHO_ESTORE, "is read-only (Permission denied)");
  OK(as_nobody(try_read, &ei));
  assert_int_equal(files(false), 1); /* no -shm that its owner could not write */
  chmod(path, 0666);
  chmod(folder, 0555);
  FAILS(as_nobody(try_write, &ei), MHO_ESTORE, "cannot write in the folder");
  OK(as_nobody(try_read, &ei));
  chmod(folder, 0777);
  FAILS(as_nobody(try_limit, &ei), MHO_EDISK, "largest file size");
  files(false);
  s = open_ok(MHO_STORE_WRITE);
  OK(mho_store_check(s, &ei));
  mho_store_close(s);
  chmod(path, 0000);
  FAILS(as_nobody(try_read, &ei), MHO_ESTORE, "cannot read");
  chmod(path, 0644);

  /* a log that a crash left where nothing can be written: better no answer than an old one */
  pid_t child = fork();
  if (!child) {
    s = open_ok(MHO_STORE_WRITE);
    begin(s, "r2", NULL, 1, .1);
    raise(SIGKILL);
  }

  waitpid(child, NULL, 0);
  assert_int_equal(access(wal, F_OK), 0);
  chmod(wal, 0444);
  snprintf(wal, sizeof wal, "%s-shm", path);
  chmod(wal, 0444);
  chmod(folder, 0555);
  FAILS(as_nobody(try_read, &ei), MHO_EINVAL,
        "there are 2 runs"); /* the -shm is enough to read the log */
  chmod(folder, 0777);
  assert_int_equal(unlink(wal), 0);
  chmod(folder, 0555);
  FAILS(as_nobody(try_read, &ei), MHO_ESTORE, "copy them all to a writable folder");
}

static void test_reading_leaves_nothing(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  size_t n, m;
  begin(s, "r1", NULL, 1, .1);
  mho_store_close(s);
  assert_int_equal(files(false), 1);
  char *before = slurp(&n);
  OK(try_read(&ei));
  assert_int_equal(files(false), 1);
  char *after = slurp(&m);
  assert_int_equal(n, m);
  assert_memory_equal(before, after, n);
  free(before);
  free(after);
  snprintf(path, sizeof path, "%s/link.db", folder); /* a link: the log is beside the file */
  assert_int_equal(symlink("runs.db", path), 0);
  s = open_ok(MHO_STORE_WRITE);
  assert_int_equal(files(false), 4);
  mho_store_close(s);
  OK(try_read(&ei));
  assert_int_equal(files(false), 2);
}

/* --------------------------------------------------------------- several processes, and kill -9 */

/* Epochs of run `id` from `first` on, each with four layers, a settle and a checkpoint. */
static void train(const char *id, int first, int n) {
  mho_errinfo ei;
  char *blob = calloc(1, 200000);
  mho_store *s = open_ok(MHO_STORE_WRITE);
  for (int i = first; i < first + n; i++) {
    mho_epoch_row e = {.epoch = i};
    mho_layer_row l[4] = {{.layer = 0}, {.layer = 1}, {.layer = 2}, {.layer = 3}};
    mho_settle_row t = {.epoch = i, .phase = "free"};
    mho_checkpoint_row c = {i, 0, {blob, 200000}};
    mho_run_row run = {.epochs_done = i};
    MUST(mho_store_write(s, id, &(mho_store_update){&e, l, 4, i, &t, 1, NULL, 0, &c, i % 2, &run},
                         &ei));
  }
  mho_store_close(s);
  free(blob);
}

static void test_all_at_once(void **state) {
  enum { N = 6 };
  mho_errinfo ei;
  pid_t child[N];
  for (int i = 0; i < N; i++)
    if (!(child[i] = fork())) { /* each finds no database, or one that is being made */
      char id[MHO_ID_MAX] = {'r', (char)('0' + i)};
      mho_store *s = open_ok(MHO_STORE_WRITE);
      begin(s, id, "sweep", i, .1);
      mho_store_close(s);
      train(id, 1, 20);
      _exit(0);
    }
  for (int i = 0; i < N; i++) {
    int status;
    waitpid(child[i], &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  mho_store *s = open_ok(MHO_STORE_READ);
  OK(mho_store_check(s, &ei));
  IS("SELECT count(*) FROM epoch", "120");
  mho_store_close(s);
  assert_int_equal(files(false), 1);
}

static void test_kill(void **state) {
  mho_errinfo ei;
  mho_store *s = open_ok(MHO_STORE_WRITE);
  begin(s, "r1", NULL, 1, .1);
  mho_store_close(s);
  int done = 0;
  for (int round = 0; round < 12; round++) {
    pid_t child = fork();
    if (!child) {
      train("r1", done + 1, 1000000);
      _exit(0);
    }
    nanosleep(&(struct timespec){.tv_nsec = 30000000 + round * 7654321}, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    s = open_ok(round % 2 ? MHO_STORE_READ : MHO_STORE_WRITE);
    OK(mho_store_check(s, &ei));
    IS("SELECT count(*) FROM run WHERE epochs_done <> (SELECT count(*) FROM epoch) "
       "OR 4 * epochs_done <> (SELECT count(*) FROM layer_epoch) OR epochs_done <> (SELECT "
       "count(*) FROM settle) OR epochs_done <> coalesce((SELECT epoch FROM checkpoint WHERE kind "
       "= 'last'), 0)",
       "0"); /* whole epochs only */
    mho_run_row run;
    OK(mho_store_run_get(s, "r1", &run, &ei));
    done = run.epochs_done;
    mho_run_row_free(&run);
    mho_store_close(s);
    assert_int_equal(files(false), 1);
  }

  assert_true(done > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_no_such_place), TEST(test_odd_names),    TEST(test_not_ours),
      TEST(test_versions),      TEST(test_energy_table), TEST(test_first_version),
      TEST(test_schema),        TEST(test_locked),       TEST(test_disk_full),
      TEST(test_damaged),       TEST(test_permissions),  TEST(test_reading_leaves_nothing),
      TEST(test_all_at_once),   TEST(test_kill),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
