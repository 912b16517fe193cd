/* row.c - rows of the tables to and from the public structs, by tables of columns.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RUN(field, kind) MHO_STORE_COLUMN(mho_run_row, field, kind)
const mho_store_column mho__store_run_columns[] = {
    RUN(id, ID),
    RUN(name, TEXT),
    RUN(status, WORD),
    RUN(config, WORD),
    RUN(config_hash, WORD),
    RUN(defaults_version, INT),
    RUN(seed, INT64),
    RUN(data_checksum, WORD),
    RUN(code_version, WORD),
    RUN(blas, WORD),
    RUN(host, WORD),
    RUN(pid, INT64),
    RUN(started, WORD),
    RUN(ended, TEXT),
    RUN(wall_s, REAL),
    RUN(epochs_done, INT),
    RUN(final_test_acc, REAL),
    RUN(best_test_acc, REAL),
    RUN(train_acc, REAL),
    RUN(val_acc, REAL),
    RUN(best_epoch, INT),
    RUN(pulses, REAL),
    RUN(energy_j, REAL),
    RUN(error, TEXT),
    RUN(kind, WORD),
    RUN(parent, TEXT),
    RUN(final_test_loss, REAL),
    RUN(best_test_loss, REAL),
    RUN(val_loss, REAL),
    RUN(final_test_rms, REAL),
    RUN(best_test_rms, REAL),
};
const int mho__store_run_columns_n = MHO_COUNT(mho__store_run_columns);

int mho__store_bind(sqlite3_stmt *st, int parameter, const mho_store_column *c, const void *row) {
  const void *at = (const char *)row + c->offset;

  switch (c->kind) {
  case MHO_STORE_INT:
    return sqlite3_bind_int(st, parameter, *(const int *)at);
  case MHO_STORE_INT64:
    return sqlite3_bind_int64(st, parameter, *(const int64_t *)at);
  case MHO_STORE_REAL:
    return sqlite3_bind_double(st, parameter, *(const double *)at); /* NaN is bound as NULL */
  case MHO_STORE_BOOL:
    return sqlite3_bind_int(st, parameter, *(const bool *)at);
  case MHO_STORE_TEXT: /* a null pointer is bound as NULL */
    return sqlite3_bind_text(st, parameter, *(char *const *)at, -1, SQLITE_STATIC);
  case MHO_STORE_WORD: {
    const char *text = *(char *const *)at;
    return sqlite3_bind_text(st, parameter, text ? text : "", -1, SQLITE_STATIC);
  }
  case MHO_STORE_ID:
    return sqlite3_bind_text(st, parameter, at, -1, SQLITE_STATIC);
  case MHO_STORE_INLINE:
    return *(const char *)at ? sqlite3_bind_text(st, parameter, at, -1, SQLITE_STATIC)
                             : sqlite3_bind_null(st, parameter);
  }

  return SQLITE_MISUSE;
}

int mho__store_take(sqlite3_stmt *st, int i, const mho_store_column *c, void *row) {
  void *at = (char *)row + c->offset;
  bool null = sqlite3_column_type(st, i) == SQLITE_NULL;

  switch (c->kind) {
  case MHO_STORE_INT:
    *(int *)at = sqlite3_column_int(st, i);
    break;
  case MHO_STORE_INT64:
    *(int64_t *)at = sqlite3_column_int64(st, i);
    break;
  case MHO_STORE_REAL:
    *(double *)at = null ? (double)NAN : sqlite3_column_double(st, i);
    break;
  case MHO_STORE_BOOL:
    *(bool *)at = sqlite3_column_int(st, i) != 0;
    break;
  case MHO_STORE_TEXT:
  case MHO_STORE_WORD: {
    const unsigned char *text = sqlite3_column_text(st, i);
    if (null)
      break;
    char *copy = text ? mho_alloc((size_t)sqlite3_column_bytes(st, i) + 1, 1) : NULL;
    if (!copy)
      return SQLITE_NOMEM;
    strcpy(copy, (const char *)text);
    *(char **)at = copy;
    break;
  }
  case MHO_STORE_INLINE:
    return SQLITE_MISUSE;
  case MHO_STORE_ID:
    snprintf(at, MHO_ID_MAX, "%s", (const char *)sqlite3_column_text(st, i));
    break;
  }

  return SQLITE_OK;
}

mho_err mho__store_insert(mho_store *s, const char *into, const char *lead, const char *lead_value,
                          const mho_store_column *columns, int n_columns, const void *rows,
                          int n_rows, size_t stride, mho_errinfo *ei) {
  char sql[1024];

  snprintf(sql, sizeof sql, "%s(%s", into, lead);
  for (int i = 0; i < n_columns; i++)
    mho_text_append(sql, sizeof sql, ",%s", columns[i].name);
  mho_text_append(sql, sizeof sql, ") VALUES(?");
  for (int i = 0; i < n_columns; i++)
    mho_text_append(sql, sizeof sql, ",?");
  mho_text_append(sql, sizeof sql, ")");

  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(s, sql, "write", &st, ei);
  for (int i = 0; i < n_rows; i++) {
    if (err)
      break;
    const void *row = (const char *)rows + (size_t)i * stride;
    int rc = sqlite3_bind_text(st, 1, lead_value, -1, SQLITE_STATIC);
    for (int j = 0; j < n_columns; j++) {
      if (rc)
        break;
      rc = mho__store_bind(st, j + 2, &columns[j], row);
    }
    err = rc ? mho__store_fail(s, rc, "write", ei) : mho__store_run(s, st, "write", ei);
  }

  sqlite3_finalize(st);
  return err;
}

void mho__store_now(char text[32]) {
  struct timespec t;
  struct tm tm;

  clock_gettime(CLOCK_REALTIME, &t);
  gmtime_r(&t.tv_sec, &tm);
  size_t n = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(text + n, 32 - n, ".%03dZ", (int)(t.tv_nsec / 1000000));
}
