/* store_impl.h - what the files of the store share. This folder is the only one that knows SQLite.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_STORE_IMPL_H
#define MHO_STORE_IMPL_H

#include <sqlite3.h>

#include "mho/store.h"

enum {
  MHO_STORE_APPLICATION = 0x6d686f31, /* "mho1"; schema.sql says the same */
  MHO_STORE_VERSION = 11              /* of schema.sql */
};

struct mho_store {
  sqlite3 *db;
  char *path; /* as given, for messages */
  char *file; /* where it is */
  mho_store_mode mode;
  int busy_ms;
  double deadline; /* of the query under way, by mho_seconds; 0: none */
};

/* What mho_store_open takes for granted and tests do not. */
typedef struct mho_store_options {
  int busy_ms; /* how long to wait for a lock */
  int version; /* of the schema that this program knows */
  /** [version]; migration[v] is the SQL that makes version v + 1 of version v. */
  const char *const *migration;
} mho_store_options;
/** mho_store_open with other options. Exported for the tests only. */
mho_err mho__store_open_with(const char *path, mho_store_mode mode,
                             const mho_store_options *options, mho_store **out, mho_errinfo *ei);

/* error.c */

/** The sentence for what SQLite answered (an extended result code) while doing `what`. */
mho_err mho__store_fail(const mho_store *s, int rc, const char *what, mho_errinfo *ei);
mho_err mho__store_exec(mho_store *s, const char *sql, const char *what, mho_errinfo *ei);
mho_err mho__store_prepare(mho_store *s, const char *sql, const char *what, sqlite3_stmt **out,
                           mho_errinfo *ei);
/** Run to the end a statement that gives no rows; resets it. */
mho_err mho__store_run(mho_store *s, sqlite3_stmt *st, const char *what, mho_errinfo *ei);
/** Go to a statement's next row; rc becomes SQLite's answer. @return whether there is one. */
static inline bool mho__store_next(sqlite3_stmt *st, int *rc) {
  *rc = sqlite3_step(st);
  return *rc == SQLITE_ROW;
}
/** Run one statement that gives no rows, about the texts ?1, ..., ?n. */
mho_err mho__store_run_texts(mho_store *s, const char *sql, int n, const char *const *texts,
                             const char *what, mho_errinfo *ei);
/** The same with a blob (nullable) of `size` bytes as the value ?n+1. */
mho_err mho__store_run_blob(mho_store *s, const char *sql, int n, const char *const *texts,
                            const void *data, size_t size, const char *what, mho_errinfo *ei);
/** The first column of a statement's first row; `none` when there is no row.
 *  @param text  nullable value of ?1. */
mho_err mho__store_int(mho_store *s, const char *sql, const char *text, int64_t none, int64_t *out,
                       mho_errinfo *ei);
/** Begin a transaction that writes; end it: commit when err is MHO_OK, else roll back and return
 * err. */
mho_err mho__store_begin(mho_store *s, mho_errinfo *ei);
mho_err mho__store_end(mho_store *s, mho_err err, mho_errinfo *ei);
/** MHO_ENOTFOUND unless there is such a run. */
mho_err mho__store_need_run(mho_store *s, const char *id, mho_errinfo *ei);

/* variance_share.c */

/** Make the SQL function variance_share known. @return SQLite's result. */
int mho__store_share_function(sqlite3 *db);

/* merge.c */

/** The columns of a table that can be written, "a, b, c": generated ones are computed anew. */
mho_err mho__store_columns_of(mho_store *s, const char *table, char *out, size_t n,
                              mho_errinfo *ei);
/** The tables whose rows belong to a run, as words; study_run is not among them. */
mho_err mho__store_tables_of_runs(mho_store *s, char *out, size_t n, mho_errinfo *ei);
/** mho_store_merge from what is attached as `other`, and detach it. */
mho_err mho__store_merge_attached(mho_store *s, mho_merge_result *out, mho_errinfo *ei);

/* export.c and import.c: what a file of runs calls itself */
#define MHO_STORE_FILE_KIND "runs"
struct json_t;
/** Merge a patch into an object (RFC 7396): what is null in it is taken away. */
void mho__store_patch(struct json_t *at, const struct json_t *patch);

/* import_check.c: false with a sentence where a row cannot be, `names` its columns */

/** Its numbers lie in their ranges. */
bool mho__store_row_in_range(const char *table, const struct json_t *names,
                             const struct json_t *row, char *why, size_t capacity);
/** A row of table run agrees with itself and its config. */
bool mho__store_run_agrees(const struct json_t *names, const struct json_t *row,
                           const struct json_t *config, char *why, size_t capacity);
/** A row of table checkpoint agrees with the head of its bytes. */
bool mho__store_checkpoint_agrees(const struct json_t *names, const struct json_t *row, char *why,
                                  size_t capacity);

/* path.c */

/** A readable run database, or (WRITE) one that can be made, as far as the file system tells.
 *  @param file      the path with links resolved; free with mho_free.
 *  @param exists    whether the file is there.
 *  @param writable  whether the file and its folder can be written. */
mho_err mho__store_path_check(const char *path, mho_store_mode mode, char **file, bool *exists,
                              bool *writable, mho_errinfo *ei);
/** Size of path + suffix ("-wal"), or -1 when there is no such file. */
int64_t mho__store_path_size(const char *path, const char *suffix);
/** "file:" URI of a path, with options ("?immutable=1"); free with mho_free. NULL: no memory. */
char *mho__store_path_uri(const char *path, const char *options);

/* point.c */

/** The hash that runs share which differ in nothing but seeds; see there. */
mho_err mho__store_point_hash(mho_store *s, const char *config, const char *data_checksum,
                              const char *kind, char hash[65], mho_errinfo *ei);

/* row.c: a table's columns and the members of the public struct that hold them */

typedef enum mho_store_kind {
  MHO_STORE_INT,   /* int */
  MHO_STORE_INT64, /* int64_t */
  MHO_STORE_REAL,  /* double; NaN is NULL */
  MHO_STORE_BOOL,
  MHO_STORE_TEXT,  /* char *, nullable */
  MHO_STORE_WORD,  /* char *, NULL is stored as "" */
  MHO_STORE_ID,    /* char[MHO_ID_MAX] */
  MHO_STORE_INLINE /* char[]; "" is NULL. Written only */
} mho_store_kind;
typedef struct mho_store_column {
  const char *name;
  mho_store_kind kind;
  size_t offset;
} mho_store_column;
#define MHO_STORE_COLUMN(T, field, kind)                                                           \
  { #field, MHO_STORE_##kind, offsetof(T, field) }

extern const mho_store_column mho__store_run_columns[];
extern const int mho__store_run_columns_n;

/** Insert rows into `into` ("INSERT INTO run"), with one more text column in front.
 *  @param rows  n_rows structs of `stride` bytes. */
mho_err mho__store_insert(mho_store *s, const char *into, const char *lead, const char *lead_value,
                          const mho_store_column *columns, int n_columns, const void *rows,
                          int n_rows, size_t stride, mho_errinfo *ei);
/** One value of a struct to a parameter (from 1), and one of a row's columns (from 0) to a
 *  struct: its texts are copies to be freed. @return an SQLite result code. */
int mho__store_bind(sqlite3_stmt *st, int parameter, const mho_store_column *c, const void *row);
int mho__store_take(sqlite3_stmt *st, int i, const mho_store_column *c, void *row);
/** Now, ISO 8601 UTC to the millisecond. */
void mho__store_now(char text[32]);

#endif
