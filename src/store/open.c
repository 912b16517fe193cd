/* open.c - opening a run database: whose file it is, migration, the write-ahead log.
 *
 * Before the first lock, journal or write, the file's header is read as plain bytes: another
 * program's database must not even have its journal rolled back by us. The bytes are read through
 * SQLite's own file handle, because closing a second descriptor of a file drops the POSIX locks
 * that other connections of this process hold on it.
 *
 * The log (WAL) with synchronous=NORMAL: a commit is a write into the log without waiting for the
 * disk. After kill -9 the log is whole, because the kernel has it; after a power cut the last
 * commits may be missing, but checkpoints do wait for the disk, so the file is never damaged. That
 * is worth 10 ms a commit.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/sql.inc" /* schema.sql and migrations/, as strings */

/* migration[v] makes version v + 1 of version v. The first is not used: an empty file gets
 * schema.sql, which is always the newest. To change the schema: change schema.sql, raise its
 * user_version and MHO_STORE_VERSION, and append a file to migrations/ that changes an older
 * database's tables; views are made anew from schema.sql after it. */
static const char *const migration[MHO_STORE_VERSION] = {
    NULL,           energy_sql,          write_counts_sql, settle_samples_sql,
    run_keys_sql,   best_checkpoint_sql, programmed_sql,   values_sql,
    importance_sql, control_sql,         balance_sql,
};

/* Readers that people wait for, and writers of which a sweep has many, take turns within a
 * second or so. */
enum { BUSY_READ_MS = 10000, BUSY_WRITE_MS = 60000 };

const char *mho_store_schema(void) {
  return schema_sql;
}

int mho_store_schema_version(void) {
  return MHO_STORE_VERSION;
}

/* ---------------------------------------------------------------- whose file */

static mho_err fail_foreign(const mho_store *s, int64_t application, mho_errinfo *ei) {
  return mho_fail(
      ei, MHO_ESTORE,
      "'%s' is an SQLite database, but not one of mho's (application id %#llx); it is left as it "
      "is: name another file",
      s->path, (unsigned long long)application);
}

static mho_err check_header(const mho_store *s, mho_errinfo *ei) {
  sqlite3_file *file = NULL;
  sqlite3_int64 size = 0;
  /* https://www.sqlite.org/fileformat.html, 1.3 and the first bytes of 1.6 */
  unsigned char h[108] = {0};

  int rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (!rc && file && file->pMethods) {
    rc = file->pMethods->xFileSize(file, &size);
    if (!rc && size >= (sqlite3_int64)sizeof h)
      rc = file->pMethods->xRead(file, h, sizeof h, 0);
  }
  if (rc)
    return mho__store_fail(s, rc, "open the run database", ei);

  if (size == 0) {
    if (s->mode == MHO_STORE_WRITE)
      return MHO_OK;
    return mho_fail(ei, MHO_ESTORE,
                    "'%s' is empty: train a first run into it, or name another file", s->path);
  }
  if (memcmp(h, "SQLite format 3", 16))
    return mho_fail(ei, MHO_ESTORE,
                    "'%s' is not an SQLite database; it is left as it is: name another file",
                    s->path);

  uint32_t application =
      (uint32_t)h[68] << 24 | (uint32_t)h[69] << 16 | (uint32_t)h[70] << 8 | (uint32_t)h[71];
  if (application == MHO_STORE_APPLICATION)
    return MHO_OK;

  /* A database without a single table (its first page is a leaf with no cell) may become ours. */
  bool empty = h[100] == 13 && !h[103] && !h[104] && mho__store_path_size(s->file, "-wal") <= 0 &&
               mho__store_path_size(s->file, "-journal") <= 0;
  if (empty && application == 0 && s->mode == MHO_STORE_WRITE)
    return MHO_OK;
  return fail_foreign(s, application, ei);
}

/* ---------------------------------------------------------------- versions */

static mho_err read_version(mho_store *s, const mho_store_options *o, int64_t *version,
                            mho_errinfo *ei) {
  mho_err err = mho__store_int(s, "PRAGMA user_version", NULL, 0, version, ei);
  if (!err && *version > o->version)
    return mho_fail(ei, MHO_ESTORE,
                    "'%s' was written by a newer mho (schema %lld, this one knows %d): update mho",
                    s->path, (long long)*version, o->version);
  return err;
}

/* Views hold nothing, so after a change they are made anew; in schema.sql they are all behind
 * the tables. */
static mho_err renew_views(mho_store *s, mho_errinfo *ei) {
  char drop[256], name[64];
  const char *first = strstr(schema_sql, "CREATE VIEW ");

  for (const char *at = first; at; at = strstr(at + 1, "CREATE VIEW ")) {
    sscanf(at, "CREATE VIEW %63s", name);
    snprintf(drop, sizeof drop, "DROP VIEW IF EXISTS %s", name);
    mho_err err = mho__store_exec(s, drop, "migrate the database", ei);
    if (err)
      return err;
  }
  return mho__store_exec(s, first, "migrate the database", ei);
}

/* One step of the migration, and the version that it makes. */
static mho_err migrate_one(mho_store *s, const char *sql, int64_t version, mho_errinfo *ei) {
  char stamp[64];
  snprintf(stamp, sizeof stamp, "PRAGMA user_version = %lld", (long long)version);
  mho_err err = mho__store_exec(s, sql, "migrate the database", ei);
  return err ? err : mho__store_exec(s, stamp, "migrate the database", ei);
}

/* Within the transaction that locks out other processes that open the same new or old file. */
static mho_err migrate_locked(mho_store *s, const mho_store_options *o, mho_errinfo *ei) {
  int64_t application, tables, version, bad;
  mho_err err = mho__store_int(s, "PRAGMA application_id", NULL, 0, &application, ei);
  if (!err)
    err = mho__store_int(s, "SELECT count(*) FROM sqlite_schema", NULL, 0, &tables, ei);
  if (!err && application != MHO_STORE_APPLICATION)
    err = tables ? fail_foreign(s, application, ei)
                 : mho__store_exec(s, schema_sql, "make a new database", ei);
  if (!err)
    err = read_version(s, o, &version, ei);
  if (err)
    return err;

  if (version < 1)
    return mho_fail(ei, MHO_ESTORE, "'%s' has no schema version: its first page is damaged",
                    s->path);

  bool changed = version < o->version;
  for (; version < o->version; version++) {
    err = migrate_one(s, o->migration[version], version + 1, ei);
    if (err)
      return err;
  }

  if (changed)
    err = renew_views(s, ei);

  if (!err)
    err = mho__store_int(s, "SELECT count(*) FROM pragma_foreign_key_check", NULL, 0, &bad, ei);
  if (!err && bad)
    err = mho_fail(ei, MHO_ESTORE, "cannot migrate '%s': %lld rows would belong to no run", s->path,
                   (long long)bad);
  return err;
}

static mho_err migrate(mho_store *s, const mho_store_options *o, mho_errinfo *ei) {
  int64_t version;
  mho_err err = read_version(s, o, &version, ei);
  if (err || version == o->version)
    return err;

  if (s->mode == MHO_STORE_READ)
    return mho_fail(
        ei, MHO_ESTORE,
        "'%s' was written by an older mho (schema %lld, this one reads %d): bring it up to date "
        "with mho db migrate",
        s->path, (long long)version, o->version);

  err = mho__store_begin(s, ei);
  return err ? err : mho__store_end(s, migrate_locked(s, o, ei), ei);
}

/* ---------------------------------------------------------------- journal */

/* The change of journal needs the file for a moment for itself, and SQLite does not wait for
 * that. */
static mho_err use_wal(mho_store *s, mho_errinfo *ei) {
  double end = mho_seconds() + 1e-3 * s->busy_ms;
  int rc = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);

  while (rc == SQLITE_BUSY && mho_seconds() < end) {
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    rc = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
  }
  if (rc)
    return mho__store_fail(s, rc, "open the run database", ei);

  /* A file system without shared memory keeps the rollback journal, which is safe only with
   * FULL. */
  int64_t wal;
  mho_err err =
      mho__store_int(s, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", NULL, 0, &wal, ei);
  if (!err)
    err = mho__store_exec(s, wal ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL",
                          "open the run database", ei);
  return err;
}

/* ---------------------------------------------------------------- open */

static int busy(void *user, int count) {
  mho_store *s = user;
  static const int ms[] = {1, 2, 5, 10, 20, 50};
  int waited = 0, n = MHO_COUNT(ms);

  for (int i = 0; i < mho_min(count, n); i++)
    waited += ms[i];
  if (count > n)
    waited += (count - n) * ms[n - 1];

  if (waited >= s->busy_ms || (s->deadline > 0 && mho_seconds() > s->deadline))
    return 0;

  sqlite3_sleep(ms[count < n ? count : n - 1]);
  return 1;
}

static mho_err connect_file(mho_store *s, int flags, const char *options, mho_errinfo *ei) {
  char *uri = mho__store_path_uri(s->file, options);
  if (!uri)
    return mho_fail(ei, MHO_ENOMEM, "no memory to open '%s'", s->path);

  int rc = sqlite3_open_v2(uri, &s->db, flags | SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX, NULL);
  mho_free(uri);
  if (!s->db)
    return mho_fail(ei, MHO_ENOMEM, "no memory to open '%s'", s->path);

  sqlite3_extended_result_codes(s->db, 1);
  if (rc)
    return mho__store_fail(s, rc, "open the run database", ei);
  rc = mho__store_share_function(s->db);
  if (rc)
    return mho__store_fail(s, rc, "open the run database", ei);

  sqlite3_busy_handler(s->db, busy, s);
  sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL); /* "colunm" is no text */
  return check_header(s, ei);
}

static mho_err open_write(mho_store *s, const mho_store_options *o, bool exists, mho_errinfo *ei) {
  int64_t probe;
  mho_err err = connect_file(s, SQLITE_OPEN_READWRITE | (exists ? 0 : SQLITE_OPEN_CREATE), "", ei);
  if (!err && sqlite3_db_readonly(s->db, "main"))
    err = mho__store_fail(s, SQLITE_READONLY, "open the run database for writing", ei);

  /* Foreign keys are off until all tables are as they should be. */
  if (!err)
    err = mho__store_exec(s, "PRAGMA foreign_keys = OFF", "open the run database", ei);
  if (!err)
    err = migrate(s, o, ei);
  if (!err)
    err = use_wal(s, ei);

  /* Some distributions zero freed pages (secure_delete), which doubles what a checkpoint writes. */
  if (!err)
    err = mho__store_exec(s,
                          "PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864;"
                          "PRAGMA secure_delete = OFF; PRAGMA cache_size = -16000",
                          "open the run database", ei);

  /* This makes the log, by which a reader knows that somebody writes. */
  if (!err)
    err = mho__store_int(s, "PRAGMA user_version", NULL, 0, &probe, ei);
  return err;
}

/* A reader of a log (WAL) database needs its -wal and -shm files, makes them when they are
 * missing, and only one that could also write takes them away again. So: where we could write,
 * connect as if we would, and let query_only keep us from it; the last one to close folds the
 * log back, as always. Where we cannot, a file without a log at its side is at rest and is read
 * as an immutable one, which needs nothing and leaves nothing; should somebody else begin to
 * write it at that moment, a query may fail, and do when repeated. */
static mho_err open_read(mho_store *s, const mho_store_options *o, bool writable, mho_errinfo *ei) {
  bool log =
      mho__store_path_size(s->file, "-wal") >= 0 || mho__store_path_size(s->file, "-journal") > 0;
  int flags = writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  mho_err err = connect_file(s, flags, writable || log ? "" : "?immutable=1", ei);
  if (err)
    return err;

  int64_t probe;
  err = mho__store_int(s, "PRAGMA user_version", NULL, 0, &probe, ei);
  int why = err ? sqlite3_errcode(s->db) & 0xff : SQLITE_OK;
  if (why == SQLITE_CANTOPEN || why == SQLITE_READONLY) {
    if (mho__store_path_size(s->file, "-wal") > 0 || mho__store_path_size(s->file, "-journal") > 0)
      return mho_fail(
          ei, MHO_ESTORE,
          "'%s' has a journal (-wal or -journal) beside it that cannot be taken in here, because "
          "the files or their folder are read-only: copy them all to a writable folder",
          s->path);
    sqlite3_close(s->db);
    s->db = NULL;
    err = connect_file(s, SQLITE_OPEN_READONLY, "?immutable=1", ei);
  }

  if (!err)
    err = migrate(s, o, ei);
  if (!err)
    err = mho__store_exec(s, "PRAGMA query_only = ON; PRAGMA cache_size = -16000",
                          "open the run database", ei);
  return err;
}

mho_err mho__store_open_with(const char *path, mho_store_mode mode,
                             const mho_store_options *options, mho_store **out, mho_errinfo *ei) {
  *out = NULL;
  bool exists, writable;
  char *file, *copy = path ? mho_alloc(strlen(path) + 1, 1) : NULL;
  mho_store *s = mho_alloc(1, sizeof *s);

  mho_err err = mho__store_path_check(path, mode, &file, &exists, &writable, ei);
  if (!err && (!s || !copy))
    err = mho_fail(ei, MHO_ENOMEM, "no memory to open '%s'", path);
  if (err) {
    mho_free(file);
    mho_free(copy);
    mho_free(s);
    return err;
  }

  s->path = strcpy(copy, path);
  s->file = file;
  s->mode = mode;
  s->busy_ms = options->busy_ms;
  err = mode == MHO_STORE_WRITE ? open_write(s, options, exists, ei)
                                : open_read(s, options, writable, ei);

  if (err) {
    mho_store_close(s);
    return err;
  }
  *out = s;
  return MHO_OK;
}

mho_err mho_store_open(const char *path, mho_store_mode mode, mho_store **out, mho_errinfo *ei) {
  mho_store_options o = {mode == MHO_STORE_WRITE ? BUSY_WRITE_MS : BUSY_READ_MS, MHO_STORE_VERSION,
                         migration};
  return mho__store_open_with(path, mode, &o, out, ei);
}

void mho_store_close(mho_store *s) {
  if (!s)
    return;
  sqlite3_close(s->db);
  mho_free(s->path);
  mho_free(s->file);
  mho_free(s);
}
