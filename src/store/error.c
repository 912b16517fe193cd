/* error.c - SQLite's answers as sentences with a cure, and the few calls that everything here is
 * made of.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <errno.h>
#include <string.h>

/* The system's reason behind an input/output error: of the log, of the file, or what SQLite noted
 * itself, which it does not when a COMMIT fails. */
static int system_error(const mho_store *s) {
  static const int pointers[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};

  for (int i = 0; i < MHO_COUNT(pointers); i++) {
    sqlite3_file *file = NULL;
    int why = 0;
    if (sqlite3_file_control(s->db, "main", pointers[i], &file) || !file || !file->pMethods)
      continue;
    if (!file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &why) && why)
      return why;
  }

  return sqlite3_system_errno(s->db);
}

/* The system's words for its error, or SQLite's where the system has none. */
static const char *reason(const mho_store *s, int system) {
  return system ? strerror(system) : sqlite3_errmsg(s->db);
}

/* The system failed, for a reason that may have a cure of its own. */
static mho_err fail_io(const mho_store *s, const char *what, mho_errinfo *ei) {
  int system = system_error(s);

  switch (system) {
  case EDQUOT:
    return mho_fail(
        ei, MHO_EDISK,
        "cannot %s: your disk quota is used up at '%s'; nothing already stored is harmed: free "
        "some space and go on",
        what, s->path);

  case EFBIG:
    return mho_fail(
        ei, MHO_EDISK,
        "cannot %s: '%s' has reached the largest file size allowed here (ulimit -f); nothing "
        "already stored is harmed: raise the limit or start a new database",
        what, s->path);

  case EROFS:
    return mho_fail(ei, MHO_ESTORE,
                    "cannot %s: the file system of '%s' is read-only: work on a copy elsewhere",
                    what, s->path);

  default:
    return mho_fail(ei, MHO_EDISK, "cannot %s: input/output error at '%s' (%s): check the disk",
                    what, s->path, reason(s, system));
  }
}

/* The files are there, but may not be opened or written as they are. */
static mho_err fail_access(const mho_store *s, int rc, const char *what, mho_errinfo *ei) {
  if (rc == SQLITE_READONLY_DBMOVED)
    return mho_fail(ei, MHO_ESTORE,
                    "cannot %s: '%s' was moved or replaced while in use: put it back", what,
                    s->path);

  if ((rc & 0xff) == SQLITE_READONLY)
    return mho_fail(
        ei, MHO_ESTORE,
        "cannot %s: '%s' is read-only: make the file and its folder writable (chmod u+w), or "
        "work on a copy",
        what, s->path);

  return mho_fail(
      ei, MHO_ESTORE,
      "cannot %s: '%s' or the -wal and -shm files beside it cannot be opened (%s): check the "
      "permissions of the files and of their folder",
      what, s->path, reason(s, sqlite3_system_errno(s->db)));
}

/* The content of the file is not, or no longer, that of a database. */
static mho_err fail_damaged(const mho_store *s, int rc, const char *what, mho_errinfo *ei) {
  if ((rc & 0xff) == SQLITE_NOTADB)
    return mho_fail(
        ei, MHO_ESTORE,
        "'%s' is not an SQLite database, or its first page is damaged: name another file", s->path);

  return mho_fail(ei, MHO_ESTORE,
                  "cannot %s: '%s' is damaged (%s): restore a copy, or save what can be read with: "
                  "sqlite3 OLD .recover | sqlite3 NEW",
                  what, s->path, sqlite3_errmsg(s->db));
}

/* Something has no room: on the disk, or in one value. */
static mho_err fail_room(const mho_store *s, int rc, const char *what, mho_errinfo *ei) {
  if ((rc & 0xff) == SQLITE_FULL)
    return mho_fail(
        ei, MHO_EDISK,
        "cannot %s: the disk that holds '%s' is full; nothing already stored is harmed: free "
        "some space and go on",
        what, s->path);

  return mho_fail(ei, MHO_ESTORE, "cannot %s: larger than the 1 GB that one value in '%s' may have",
                  what, s->path);
}

/* Another process holds the database for longer than was waited. */
static mho_err fail_locked(const mho_store *s, const char *what, mho_errinfo *ei) {
  return mho_fail(
      ei, MHO_ESTORE,
      "cannot %s: '%s' is locked by another process (waited %.3g s): try again when that one "
      "is done",
      what, s->path, 1e-3 * s->busy_ms);
}

mho_err mho__store_fail(const mho_store *s, int rc, const char *what, mho_errinfo *ei) {
  int primary = rc & 0xff;
  if (primary == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM)
    return mho_fail(ei, MHO_ENOMEM, "cannot %s: out of memory", what);

  switch (primary) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return fail_locked(s, what, ei);
  case SQLITE_FULL:
  case SQLITE_TOOBIG:
    return fail_room(s, rc, what, ei);
  case SQLITE_READONLY:
  case SQLITE_CANTOPEN:
  case SQLITE_PERM:
  case SQLITE_AUTH:
    return fail_access(s, rc, what, ei);
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
    return fail_damaged(s, rc, what, ei);
  case SQLITE_IOERR:
    return fail_io(s, what, ei);
  default:
    return mho_fail(ei, MHO_ESTORE, "cannot %s in '%s': %s", what, s->path, sqlite3_errmsg(s->db));
  }
}

mho_err mho__store_exec(mho_store *s, const char *sql, const char *what, mho_errinfo *ei) {
  int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
  return rc ? mho__store_fail(s, rc, what, ei) : MHO_OK;
}

mho_err mho__store_prepare(mho_store *s, const char *sql, const char *what, sqlite3_stmt **out,
                           mho_errinfo *ei) {
  int rc = sqlite3_prepare_v2(s->db, sql, -1, out, NULL);
  return rc ? mho__store_fail(s, rc, what, ei) : MHO_OK;
}

mho_err mho__store_run(mho_store *s, sqlite3_stmt *st, const char *what, mho_errinfo *ei) {
  int rc = sqlite3_step(st);
  bool done = rc == SQLITE_DONE || rc == SQLITE_ROW;
  mho_err err = done ? MHO_OK : mho__store_fail(s, rc, what, ei);
  sqlite3_reset(st);
  return err;
}

mho_err mho__store_run_texts(mho_store *s, const char *sql, int n, const char *const *texts,
                             const char *what, mho_errinfo *ei) {
  return mho__store_run_blob(s, sql, n, texts, NULL, 0, what, ei);
}

mho_err mho__store_run_blob(mho_store *s, const char *sql, int n, const char *const *texts,
                            const void *data, size_t size, const char *what, mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(s, sql, what, &st, ei);
  if (err)
    return err;

  int rc = SQLITE_OK;
  for (int i = 0; i < n; i++) {
    rc = sqlite3_bind_text(st, i + 1, texts[i], -1, SQLITE_STATIC);
    if (rc)
      break;
  }

  if (!rc && data)
    rc = sqlite3_bind_blob64(st, n + 1, data, size, SQLITE_STATIC);
  err = rc ? mho__store_fail(s, rc, what, ei) : mho__store_run(s, st, what, ei);

  sqlite3_finalize(st);
  return err;
}

mho_err mho__store_int(mho_store *s, const char *sql, const char *text, int64_t none, int64_t *out,
                       mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(s, sql, "read the database", &st, ei);
  if (err)
    return err;

  if (text)
    sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
  int rc = sqlite3_step(st);
  *out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : none;
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    err = mho__store_fail(s, rc, "read the database", ei);

  sqlite3_finalize(st);
  return err;
}

mho_err mho__store_begin(mho_store *s, mho_errinfo *ei) {
  if (s->mode != MHO_STORE_WRITE)
    return mho_fail(ei, MHO_EINVAL, "'%s' was opened for reading only", s->path);

  /* IMMEDIATE takes the write lock now, where waiting for it is possible: a reader that turns
   * writer halfway is refused at once when another wrote in between. */
  return mho__store_exec(s, "BEGIN IMMEDIATE", "write", ei);
}

mho_err mho__store_end(mho_store *s, mho_err err, mho_errinfo *ei) {
  if (!err)
    err = mho__store_exec(s, "COMMIT", "write", ei);
  if (err && !sqlite3_get_autocommit(s->db))
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
  return err;
}

mho_err mho__store_need_run(mho_store *s, const char *id, mho_errinfo *ei) {
  int64_t there;
  mho_err err = mho__store_int(s, "SELECT 1 FROM run WHERE id = ?1", id, 0, &there, ei);
  if (!err && !there)
    return mho_fail(ei, MHO_ENOTFOUND, "there is no run '%s' in '%s'", id, s->path);
  return err;
}
