/* read.c - finding a run by what the user calls it, reading it and its checkpoints, checking the
 * file.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- find */

enum { SHOWN = 5, NEAREST = 3 };

/* The one id that a statement about ?1 gives; found stays false when there is none. */
static mho_err find_one(mho_store *s, const char *sql, const char *ref, char id[MHO_ID_MAX],
                        bool *found, mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(s, sql, "look for a run", &st, ei);
  if (err)
    return err;

  sqlite3_bind_text(st, 1, ref, -1, SQLITE_STATIC);
  int rc = sqlite3_step(st);
  *found = rc == SQLITE_ROW;
  if (*found)
    snprintf(id, MHO_ID_MAX, "%s", (const char *)sqlite3_column_text(st, 0));
  else if (rc != SQLITE_DONE)
    err = mho__store_fail(s, rc, "look for a run", ei);

  sqlite3_finalize(st);
  return err;
}

static mho_err find_prefix(mho_store *s, const char *ref, char id[MHO_ID_MAX], bool *found,
                           mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(s,
                                   "SELECT id, name, count(*) OVER () FROM run "
                                   "WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id DESC LIMIT ?2",
                                   "look for a run", &st, ei);
  if (err)
    return err;

  sqlite3_bind_text(st, 1, ref, -1, SQLITE_STATIC);
  sqlite3_bind_int(st, 2, SHOWN);

  char list[512] = "";
  int n = 0, rc;
  while (mho__store_next(st, &rc)) {
    const char *name = (const char *)sqlite3_column_text(st, 1);
    n = sqlite3_column_int(st, 2);
    snprintf(id, MHO_ID_MAX, "%s", (const char *)sqlite3_column_text(st, 0));
    mho_text_append(list, sizeof list, "%s%s", *list ? ", " : "", id);
    if (name)
      mho_text_append(list, sizeof list, " (%.40s)", name);
  }

  if (rc != SQLITE_DONE)
    err = mho__store_fail(s, rc, "look for a run", ei);
  else if (n > 1)
    err = mho_fail(ei, MHO_EINVAL, "'%s' fits %d runs: %s%s; give more characters", ref, n, list,
                   n > SHOWN ? ", ..." : "");
  *found = n == 1;
  sqlite3_finalize(st);
  return err;
}

/* The names nearest to ref, as a list; empty when none is near. */
static mho_err near_names(mho_store *s, const char *ref, char *list, size_t capacity,
                          mho_errinfo *ei) {
  struct {
    int distance;
    char name[64];
  } best[NEAREST];
  int n = 0, limit = (int)strlen(ref) / 2 + 1;
  sqlite3_stmt *st;
  mho_err err =
      mho__store_prepare(s, "SELECT DISTINCT name FROM run WHERE name IS NOT NULL LIMIT 20000",
                         "look for a run", &st, ei);
  if (err)
    return err;

  int rc;
  while (mho__store_next(st, &rc)) {
    const char *name = (const char *)sqlite3_column_text(st, 0);
    int d = mho_text_distance(ref, name), at = n;
    if (d > limit || strlen(name) >= sizeof best->name)
      continue;

    while (at > 0 && best[at - 1].distance > d)
      at--;
    if (at == NEAREST)
      continue;
    n += n < NEAREST;
    memmove(best + at + 1, best + at, (size_t)(n - at - 1) * sizeof *best);
    best[at].distance = d;
    strcpy(best[at].name, name);
  }

  if (rc != SQLITE_DONE)
    err = mho__store_fail(s, rc, "look for a run", ei);
  sqlite3_finalize(st);

  *list = 0;
  for (int i = 0; i < n; i++)
    mho_text_append(list, capacity, "%s'%s'", i ? ", " : "", best[i].name);
  return err;
}

static mho_err fail_unknown(mho_store *s, const char *ref, mho_errinfo *ei) {
  int64_t any;
  char near[256];
  mho_err err = mho__store_int(s, "SELECT 1 FROM run LIMIT 1", NULL, 0, &any, ei);
  if (err)
    return err;
  if (!any)
    return mho_fail(ei, MHO_ENOTFOUND, "there are no runs yet in '%s'", s->path);

  err = near_names(s, ref, near, sizeof near, ei);
  if (err)
    return err;
  return mho_fail(ei, MHO_ENOTFOUND,
                  "no run in '%s' has the id or name '%s'%s%s; mho runs lists them", s->path, ref,
                  *near ? ": near to it are " : "", near);
}

mho_err mho_store_find(mho_store *s, const char *ref, char id[MHO_ID_MAX], mho_errinfo *ei) {
  /* by the order in which they came into this database: a clock may have been wrong */
  static const char *const newest = "SELECT id FROM run ORDER BY rowid DESC LIMIT 1";
  static const char *const exact[] = {
      "SELECT id FROM run WHERE id = ?1",
      "SELECT id FROM run WHERE name = ?1 ORDER BY rowid DESC LIMIT 1",
  };

  *id = 0;
  if (!ref || !*ref)
    return mho_fail(ei, MHO_EINVAL,
                    "an empty name is no run: give an id, a name, the start of an id, or last");

  bool found = false;
  mho_err err = MHO_OK;
  if (!strcmp(ref, "last"))
    err = find_one(s, newest, ref, id, &found, ei);
  for (int i = 0; i < MHO_COUNT(exact); i++)
    if (!err && !found)
      err = find_one(s, exact[i], ref, id, &found, ei);
  if (!err && !found)
    err = find_prefix(s, ref, id, &found, ei);
  if (!err && !found)
    err = fail_unknown(s, ref, ei);

  if (err)
    *id = 0;
  return err;
}

/* ---------------------------------------------------------------- get */

void mho_run_row_free(mho_run_row *r) {
  for (int i = 0; i < mho__store_run_columns_n; i++) {
    const mho_store_column *c = &mho__store_run_columns[i];
    if (c->kind != MHO_STORE_TEXT && c->kind != MHO_STORE_WORD)
      continue;

    char **text = (char **)(void *)((char *)r + c->offset);
    mho_free(*text);
    *text = NULL;
  }
}

void mho_blob_free(mho_blob *b) {
  mho_free(b->data);
  *b = (mho_blob){0};
}

mho_err mho_store_run_get(mho_store *s, const char *id, mho_run_row *out, mho_errinfo *ei) {
  char sql[1024] = "SELECT ";
  *out = (mho_run_row){0};
  for (int i = 0; i < mho__store_run_columns_n; i++)
    mho_text_append(sql, sizeof sql, "%s%s", i ? "," : "", mho__store_run_columns[i].name);
  mho_text_append(sql, sizeof sql, " FROM run WHERE id = ?1");

  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(s, sql, "read a run", &st, ei);
  if (err)
    return err;

  sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
  int rc = sqlite3_step(st);
  if (rc == SQLITE_DONE)
    err = mho_fail(ei, MHO_ENOTFOUND, "there is no run '%s' in '%s'", id, s->path);
  else if (rc != SQLITE_ROW)
    err = mho__store_fail(s, rc, "read a run", ei);

  for (int i = 0; i < mho__store_run_columns_n; i++) {
    if (err)
      break;
    rc = mho__store_take(st, i, &mho__store_run_columns[i], out);
    if (rc)
      err = mho__store_fail(s, rc, "read a run", ei);
  }

  sqlite3_finalize(st);
  if (err)
    mho_run_row_free(out);
  return err;
}

static mho_err take_checkpoint(mho_store *s, sqlite3_stmt *st, mho_checkpoint_row *out,
                               mho_errinfo *ei) {
  const void *data = sqlite3_column_blob(st, 2); /* before its size: the docs ask for this order */
  size_t size = (size_t)sqlite3_column_bytes(st, 2);
  out->epoch = sqlite3_column_int(st, 0);
  out->batch = sqlite3_column_int64(st, 1);
  if (size && !data)
    return mho__store_fail(s, sqlite3_errcode(s->db), "read a checkpoint", ei);

  out->blob.data = mho_alloc(size, 1);
  if (!out->blob.data)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a checkpoint of %zu bytes", size);

  if (size)
    memcpy(out->blob.data, data, size);
  out->blob.size = size;
  return MHO_OK;
}

static mho_err fail_no_checkpoint(mho_store *s, const char *id, const char *kind, mho_errinfo *ei) {
  mho_err err = mho__store_need_run(s, id, ei);
  if (err)
    return err;
  return mho_fail(ei, MHO_ENOTFOUND, "run '%s' in '%s' has no checkpoint '%s'", id, s->path, kind);
}

mho_err mho_store_checkpoint_get(mho_store *s, const char *id, const char *kind,
                                 mho_checkpoint_row *out, mho_errinfo *ei) {
  *out = (mho_checkpoint_row){0};
  sqlite3_stmt *st;
  mho_err err =
      mho__store_prepare(s,
                         "SELECT epoch, batch, data FROM checkpoint WHERE run_id = ?1 AND "
                         "(kind = ?2 OR (?2 = 'best' AND is_best))",
                         "read a checkpoint", &st, ei);
  if (err)
    return err;

  sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
  sqlite3_bind_text(st, 2, kind, -1, SQLITE_STATIC);
  int rc = sqlite3_step(st);
  if (rc == SQLITE_ROW)
    err = take_checkpoint(s, st, out, ei);
  else if (rc != SQLITE_DONE)
    err = mho__store_fail(s, rc, "read a checkpoint", ei);
  else
    err = fail_no_checkpoint(s, id, kind, ei);

  sqlite3_finalize(st);
  return err;
}

/* ---------------------------------------------------------------- check */

mho_err mho_store_check(mho_store *s, mho_errinfo *ei) {
  static const char *const checks[] = {
      "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
      "SELECT 'a row of table ' || \"table\" || ' belongs to no ' || parent "
      "FROM pragma_foreign_key_check",
  };
  for (int i = 0; i < MHO_COUNT(checks); i++) {
    sqlite3_stmt *st;
    mho_err err = mho__store_prepare(s, checks[i], "check the database", &st, ei);
    if (err)
      return err;

    char first[256] = "";
    int n = 0, rc;
    while (mho__store_next(st, &rc)) {
      if (!n)
        snprintf(first, sizeof first, "%s", (const char *)sqlite3_column_text(st, 0));
      n++;
    }

    if (rc != SQLITE_DONE)
      err = mho__store_fail(s, rc, "check the database", ei);
    else if (n)
      err = mho_fail(
          ei, MHO_ESTORE,
          "'%s' is damaged (%s; %d problem%s): restore a copy, or save what can be read with: "
          "sqlite3 OLD .recover | sqlite3 NEW",
          s->path, first, n, n == 1 ? "" : "s");

    sqlite3_finalize(st);
    if (err)
      return err;
  }
  return MHO_OK;
}
