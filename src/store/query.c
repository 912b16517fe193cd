/* query.c - one read-only statement of the user's.
 *
 * Refused is whatever is not a plain reading SELECT: a list of what is allowed, not of what is not.
 * sqlite3_stmt_readonly alone would let ATTACH (which makes files), BEGIN and most pragmas through.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- what may be asked */

static bool is_one_of(const char *word, const char *const *words, int n) {
  for (int i = 0; i < n; i++)
    if (!sqlite3_stricmp(word, words[i]))
      return true;
  return false;
}

/* SQLite's question whether a statement may do something (sqlite3_set_authorizer). A pragma with
 * a value (b) may only be one that reads. */
static int authorize(void *user, int action, const char *a, const char *b, const char *database,
                     const char *inner) {
  static const char *const pragmas[] = {
      "table_list",      "table_info",        "table_xinfo",    "index_list",    "index_info",
      "index_xinfo",     "foreign_key_list",  "collation_list", "function_list", "compile_options",
      "integrity_check", "foreign_key_check", "quick_check",
  };
  static const char *const settings[] = {"user_version", "application_id", "page_count",
                                         "page_size",    "freelist_count", "encoding"};

  switch (action) {
  case SQLITE_SELECT:
  case SQLITE_READ:
  case SQLITE_RECURSIVE:
    return SQLITE_OK;
  case SQLITE_UPDATE:
    /* SQLite asks for this one itself when it first meets a table-valued function; an UPDATE of the
     * user's is not read-only. */
    return strcmp(a, "sqlite_master") ? SQLITE_DENY : SQLITE_OK;
  case SQLITE_FUNCTION:
    return b && !sqlite3_stricmp(b, "load_extension") ? SQLITE_DENY : SQLITE_OK;
  case SQLITE_PRAGMA:
    if (is_one_of(a, pragmas, MHO_COUNT(pragmas)))
      return SQLITE_OK;
    return !b && is_one_of(a, settings, MHO_COUNT(settings)) ? SQLITE_OK : SQLITE_DENY;
  default:
    return SQLITE_DENY;
  }
}

static mho_err fail_write(mho_errinfo *ei) {
  return mho_fail(
      ei, MHO_EINVAL,
      "only a statement that reads is allowed: SELECT, WITH, VALUES, EXPLAIN, or a pragma such as "
      "table_info(run)");
}

/* A mistake in the SQL: SQLite's words, where, and what would have been known. */
static mho_err fail_sql(mho_store *s, const char *sql, mho_errinfo *ei) {
  char message[256], names[256] = "";
  int at = sqlite3_error_offset(s->db);
  snprintf(message, sizeof message, "%s", sqlite3_errmsg(s->db));
  if (at >= 0 && (size_t)at < strlen(sql))
    mho_text_append(message, sizeof message, ", at '%.30s'", sql + at);

  sqlite3_stmt *st = NULL;
  if (strstr(message, "no such table"))
    sqlite3_prepare_v2(
        s->db, "SELECT group_concat(name, ', ') FROM sqlite_schema WHERE type IN ('table', 'view')",
        -1, &st, NULL);
  if (st && sqlite3_step(st) == SQLITE_ROW)
    snprintf(names, sizeof names, "; there are %s", (const char *)sqlite3_column_text(st, 0));
  sqlite3_finalize(st);

  return mho_fail(ei, MHO_EINVAL, "bad query: %s%s%s", message, names,
                  strstr(message, "no such column") ? "; text goes between 'single quotes'" : "");
}

static mho_err prepare(mho_store *s, const char *sql, sqlite3_stmt **out, mho_errinfo *ei) {
  const char *rest = sql, *start = sql;
  sqlite3_stmt *second = NULL;
  int rc = SQLITE_OK;
  *out = NULL;

  /* The first statement, past comments and lone semicolons; then whether there is a second one. */
  sqlite3_set_authorizer(s->db, authorize, NULL);
  while (!rc && !*out && *rest) {
    start = rest;
    rc = sqlite3_prepare_v2(s->db, start, -1, out, &rest);
  }

  bool first = rc == SQLITE_OK;
  while (!rc && !second && *rest)
    rc = sqlite3_prepare_v2(s->db, rest, -1, &second, &rest);
  sqlite3_set_authorizer(s->db, NULL, NULL);

  mho_err err = MHO_OK;
  if (first && (rc || second))
    err = mho_fail(ei, MHO_EINVAL, "more than one statement: a query is one SELECT");
  else if ((rc & 0xff) == SQLITE_AUTH ||
           (rc && !strncmp(sqlite3_errmsg(s->db), "not authorized", 14)))
    err = fail_write(ei);
  else if ((rc & 0xff) == SQLITE_ERROR)
    err = fail_sql(s, start, ei);
  else if (rc)
    err = mho__store_fail(s, rc, "run the query", ei);
  else if (!*out)
    err = mho_fail(ei, MHO_EINVAL, "the query is empty");
  else if (!sqlite3_stmt_readonly(*out))
    err = fail_write(ei);

  sqlite3_finalize(second);
  return err;
}

/* ---------------------------------------------------------------- run it */

static int late(void *user) {
  const mho_store *s = user;
  return s->deadline > 0 && mho_seconds() > s->deadline;
}

static void read_cell(sqlite3_stmt *st, int i, mho_cell *c) {
  *c = (mho_cell){0};

  switch (sqlite3_column_type(st, i)) {
  case SQLITE_INTEGER:
    c->type = MHO_CELL_INT;
    c->i = sqlite3_column_int64(st, i);
    c->d = (double)c->i;
    break;
  case SQLITE_FLOAT:
    c->type = MHO_CELL_REAL;
    c->d = sqlite3_column_double(st, i);
    break;
  case SQLITE_TEXT:
    c->type = MHO_CELL_TEXT;
    c->text = (const char *)sqlite3_column_text(st, i);
    c->size = (size_t)sqlite3_column_bytes(st, i);
    break;
  case SQLITE_BLOB:
    c->type = MHO_CELL_BLOB;
    c->size = (size_t)sqlite3_column_bytes(st, i);
    break;
  default:
    c->type = MHO_CELL_NULL;
  }
}

static mho_err fail_query(mho_store *s, int rc, const char *sql, double timeout_s,
                          mho_errinfo *ei) {
  if (rc == SQLITE_INTERRUPT)
    return mho_fail(
        ei, MHO_ESTORE,
        "the query was stopped after %.3g s: narrow it (WHERE, LIMIT) or allow it more time",
        timeout_s);

  if ((rc & 0xff) == SQLITE_ERROR)
    return fail_sql(s, sql, ei);
  return mho__store_fail(s, rc, "run the query", ei);
}

static mho_err fetch(mho_store *s, sqlite3_stmt *st, const char *sql, double timeout_s,
                     mho_row_fn row, void *user, mho_errinfo *ei) {
  int n = sqlite3_column_count(st);
  const char **names = mho_alloc((size_t)n, sizeof *names);
  mho_cell *cells = mho_alloc((size_t)n, sizeof *cells);
  mho_err err = MHO_OK;

  if (!names || !cells)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a row of %d columns", n);
  else
    for (int i = 0; i < n; i++)
      names[i] = sqlite3_column_name(st, i);

  bool more = !err && row(user, n, names, NULL);
  while (more) {
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE)
      break;
    if (rc != SQLITE_ROW) {
      err = fail_query(s, rc, sql, timeout_s, ei);
      break;
    }

    for (int i = 0; i < n; i++)
      read_cell(st, i, &cells[i]);
    more = row(user, n, names, cells);
  }

  mho_free(names);
  mho_free(cells);
  return err;
}

mho_err mho_store_query(mho_store *s, const char *sql, int n_args, const char *const *args,
                        double timeout_s, mho_row_fn row, void *user, mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = prepare(s, sql, &st, ei);
  int wanted = sqlite3_bind_parameter_count(st);
  if (!err && wanted != n_args)
    err = mho_fail(ei, MHO_EINVAL, "the query has %d value%s (?1, ?2, ...), %d given", wanted,
                   wanted == 1 ? "" : "s", n_args);

  for (int i = 0; i < n_args; i++) {
    if (err)
      break;
    int rc = sqlite3_bind_text(st, i + 1, args[i], -1, SQLITE_TRANSIENT);
    if (rc)
      err = mho__store_fail(s, rc, "run the query", ei);
  }

  if (!err) {
    double outer = s->deadline; /* the caller's function may query, too */
    s->deadline = timeout_s > 0 ? mho_seconds() + timeout_s : 0;
    sqlite3_progress_handler(s->db, 2000, late, s);
    err = fetch(s, st, sql, timeout_s, row, user, ei);
    s->deadline = outer;
    if (!(outer > 0))
      sqlite3_progress_handler(s->db, 0, NULL, NULL);
  }

  sqlite3_finalize(st);
  return err;
}
