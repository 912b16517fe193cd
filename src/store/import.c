/* import.c - the runs of a file that export.c wrote, into a database.
 *
 * The lines go into tables in memory first, attached as another database, which is then merged: so
 * nothing is taken from a file with an error, and a run that is there already is not taken twice.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json_text.h"
#include "store/store_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct importer {
  mho_store *s;
  const char *path;
  gzFile file;
  int line;
  json_t *head;      /* the first line */
  char tables[1026]; /* those of a run's rows, a blank around each */
  char *text;        /* of the line under way, [capacity] */
  size_t capacity;
  int64_t runs;
} importer;

#define BAD(x, ...) mho_fail_at(ei, MHO_EDATA, (x)->path, (x)->line, __VA_ARGS__)

/* ---------------------------------------------------------------- lines */

/* What a line that is none of such a file has: in the first one the file is another. */
static mho_err bad_line(const importer *x, const char *why, mho_errinfo *ei) {
  if (x->line == 1)
    return BAD(x, "this is no file of runs that mho export wrote");
  return BAD(x, "not a line of a file of runs (%s): it was cut short or changed", why);
}

/* The text of the next line, which grows until its end is in it; *length 0 at the end of the file.
 * Longer than any line is (a head says what there is, a checkpoint is a value of SQLite's) is what
 * a small packed file may stand for. */
static mho_err read_text(importer *x, size_t *length, mho_errinfo *ei) {
  const size_t most = x->line == 1 ? (size_t)1 << 20 : (size_t)1 << 31;
  size_t n = 0;
  for (;;) {
    if (x->capacity - n < 4096) {
      char *more = realloc(x->text, x->capacity ? 2 * x->capacity : 65536);
      if (!more)
        return mho_fail(ei, MHO_ENOMEM, "no memory for line %d of '%s'", x->line, x->path);
      x->text = more;
      x->capacity = x->capacity ? 2 * x->capacity : 65536;
    }

    size_t room = mho_min_size(x->capacity - n, 1 << 30);
    if (!gzgets(x->file, x->text + n, (int)room))
      break;
    size_t got = strlen(x->text + n);
    n += got;
    if (!got || n > most)
      return bad_line(x, got ? "it is too long" : "it is no text", ei);
    if (x->text[n - 1] == '\n')
      break;
  }
  *length = n;
  return MHO_OK;
}

/* The next line as an object; NULL at the end of the file. */
static mho_err next_line(importer *x, json_t **out, mho_errinfo *ei) {
  size_t n = 0;
  *out = NULL;
  x->line++;
  mho_err err = read_text(x, &n, ei);
  if (err)
    return err;

  int why = Z_OK;
  const char *message = gzerror(x->file, &why);
  if (why != Z_OK && why != Z_STREAM_END && why != Z_BUF_ERROR)
    return mho_fail_at(ei, why == Z_ERRNO ? MHO_EIO : MHO_EDATA, x->path, x->line,
                       "cannot read the runs: %s", why == Z_ERRNO ? strerror(errno) : message);

  if (!n)
    return MHO_OK;

  json_error_t at;
  json_t *line = mho__json_of_text(x->text, &at);
  if (!json_is_object(line)) {
    json_decref(line);
    return bad_line(x, at.text, ei);
  }
  *out = line;
  return MHO_OK;
}

static mho_err read_head(importer *x, mho_errinfo *ei) {
  mho_err err = next_line(x, &x->head, ei);
  if (err)
    return err;

  const char *kind = json_string_value(json_object_get(x->head, "mho"));
  json_int_t schema = json_integer_value(json_object_get(x->head, "schema"));
  if (!kind || strcmp(kind, MHO_STORE_FILE_KIND))
    return BAD(x, "this is no file of runs that mho export wrote");

  if (schema < 1 || !json_is_object(json_object_get(x->head, "tables")) ||
      !json_is_object(json_object_get(x->head, "config")))
    return BAD(x,
               "the first line of a file of runs lacks schema, tables or config: it was changed");
  if (schema > MHO_STORE_VERSION)
    return BAD(x, "written by a newer mho (schema %d, this one knows %d): update mho", (int)schema,
               MHO_STORE_VERSION);
  return MHO_OK;
}

/* ---------------------------------------------------------------- tables in memory */

static mho_err make_table(importer *x, const char *table, mho_errinfo *ei) {
  char sql[256];
  snprintf(sql, sizeof sql, "CREATE TABLE other.%s AS SELECT * FROM main.%s WHERE 0", table, table);
  return mho__store_exec(x->s, sql, "import runs", ei);
}

static mho_err make_tables(importer *x, mho_errinfo *ei) {
  char all[1024], *save = NULL;

  mho_err err = mho__store_exec(x->s, "ATTACH ':memory:' AS other", "import runs", ei);
  if (!err)
    err = mho__store_tables_of_runs(x->s, all, sizeof all, ei);
  if (err)
    return err;

  snprintf(x->tables, sizeof x->tables, " %s ", all);
  mho_text_append(all, sizeof all, " run study study_run");
  for (char *t = strtok_r(all, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
    err = make_table(x, t, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* INSERT INTO a table in memory, its columns as the file names them after `lead` (nullable).
 * Each must be one of ours: the names go into the statement. */
static mho_err prepare_insert(importer *x, const char *table, const char *lead, sqlite3_stmt **out,
                              int *n, mho_errinfo *ei) {
  const json_t *names = json_object_get(json_object_get(x->head, "tables"), table);
  char known[2048], all[2064], sql[4096], one[80];
  json_t *name;
  size_t i;

  *out = NULL;
  *n = (int)json_array_size(names);
  mho_err err = mho__store_columns_of(x->s, table, known, sizeof known, ei);
  if (err || !*n)
    return err ? err : BAD(x, "the first line names no columns of table '%.40s'", table);

  snprintf(all, sizeof all, ", %s,", known);
  snprintf(sql, sizeof sql, "INSERT INTO other.%s(%s", table, lead ? lead : "");
  json_array_foreach (names, i, name) {
    const char *c = json_string_value(name);
    snprintf(one, sizeof one, ", %.60s,", c ? c : "");
    if (!c || strchr(c, ' ') || !strstr(all, one))
      return BAD(x, "table '%s' has no column '%.60s' here", table, c ? c : "");
    mho_text_append(sql, sizeof sql, "%s%s", lead || i ? ", " : "", c);
  }

  mho_text_append(sql, sizeof sql, ") VALUES(");
  for (int k = 0; k < *n + (lead != NULL); k++)
    mho_text_append(sql, sizeof sql, "%s?", k ? "," : "");
  mho_text_append(sql, sizeof sql, ")");

  return mho__store_prepare(x->s, sql, "import runs", out, ei);
}

/* The value of a hexadecimal digit, or -1. */
static int nibble(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return -1;
}

static int bind_bytes(sqlite3_stmt *st, int i, const json_t *hex) {
  size_t n = json_string_length(hex) / 2;
  const char *text = json_string_value(hex);
  unsigned char *data = malloc(n ? n : 1);
  if (!data)
    return SQLITE_NOMEM;

  for (size_t k = 0; k < n; k++) {
    int high = nibble(text[2 * k]), low = nibble(text[2 * k + 1]);
    if (high < 0 || low < 0) {
      free(data);
      return SQLITE_MISMATCH;
    }
    data[k] = (unsigned char)(high << 4 | low);
  }
  return sqlite3_bind_blob64(st, i, data, n, free);
}

static int bind_value(sqlite3_stmt *st, int i, const json_t *v) {
  switch (json_typeof(v)) {
  case JSON_INTEGER:
    return sqlite3_bind_int64(st, i, json_integer_value(v));
  case JSON_REAL:
    return sqlite3_bind_double(st, i, json_real_value(v));
  case JSON_STRING:
    return sqlite3_bind_text(st, i, json_string_value(v), (int)json_string_length(v),
                             SQLITE_TRANSIENT);
  case JSON_NULL:
    return sqlite3_bind_null(st, i);
  case JSON_OBJECT: {
    const json_t *hex = json_object_get(v, "hex"), *real = json_object_get(v, "real");
    if (json_is_string(hex))
      return bind_bytes(st, i, hex);
    if (json_is_string(real))
      return sqlite3_bind_double(st, i, strtod(json_string_value(real), NULL));
    return SQLITE_MISMATCH;
  }
  default:
    return SQLITE_MISMATCH;
  }
}

/* Whether a row of a table can be; MHO_EDATA with the line, and why not. */
static mho_err check_row(importer *x, const char *table, const json_t *row, mho_errinfo *ei) {
  const json_t *names = json_object_get(json_object_get(x->head, "tables"), table);
  char why[256];
  bool is_good = mho__store_row_in_range(table, names, row, why, sizeof why);
  if (is_good && !strcmp(table, "checkpoint"))
    is_good = mho__store_checkpoint_agrees(names, row, why, sizeof why);
  return is_good ? MHO_OK : BAD(x, "%s: the file was changed", why);
}

static mho_err insert_row(importer *x, const char *table, sqlite3_stmt *st, int lead, int n,
                          const json_t *row, mho_errinfo *ei) {
  if ((int)json_array_size(row) != n)
    return BAD(x, "a row has %d values, the first line names %d columns", (int)json_array_size(row),
               n);
  mho_err err = check_row(x, table, row, ei);
  if (err)
    return err;

  for (int i = 0; i < n; i++) {
    int rc = bind_value(st, lead + i + 1, json_array_get(row, (size_t)i));
    if (rc == SQLITE_MISMATCH)
      return BAD(x, "value %d of a row is none that a file of runs may have", i + 1);
    if (rc)
      return mho__store_fail(x->s, rc, "import runs", ei);
  }
  return mho__store_run(x->s, st, "import runs", ei);
}

/* ---------------------------------------------------------------- a run */

/* What comes of the first line's config and the changes. */
static json_t *config_of(const importer *x, const json_t *line) {
  const json_t *whole = json_object_get(line, "config"), *change = json_object_get(line, "change");
  if (json_is_string(whole))
    return mho__json_of_text(json_string_value(whole), NULL);

  json_t *config = json_deep_copy(json_object_get(x->head, "config"));
  if (json_is_object(change))
    mho__store_patch(config, change);
  return config;
}

/* The same as text, as it was where it is whole; free with free(). */
static char *config_text(const json_t *config, const json_t *line) {
  const json_t *whole = json_object_get(line, "config");
  if (json_is_string(whole))
    return strdup(json_string_value(whole));
  return json_dumps(config, JSON_COMPACT | JSON_REAL_PRECISION(17));
}

/* The position of a column of table run in the file's rows, or -1. */
static int run_column(const importer *x, const char *name) {
  json_t *names = json_object_get(json_object_get(x->head, "tables"), "run"), *c;
  size_t i;
  json_array_foreach (names, i, c)
    if (json_is_string(c) && !strcmp(json_string_value(c), name))
      return (int)i;
  return -1;
}

/* The value of a run's column, or NULL. */
static const json_t *value_of(const importer *x, const json_t *row, const char *column) {
  int at = run_column(x, column);
  return at < 0 ? NULL : json_array_get(row, (size_t)at);
}

/* What a table has of a run. */
static mho_err import_rows(importer *x, const char *table, const json_t *rows, const json_t *id,
                           mho_errinfo *ei) {
  sqlite3_stmt *st = NULL;
  int n;
  char word[64];
  snprintf(word, sizeof word, " %.60s ", table);
  if (!strstr(x->tables, word) || strchr(table, ' '))
    return BAD(x, "there is no table '%.40s' of a run's rows", table);
  if (!json_is_array(rows))
    return BAD(x, "the rows of table %s are no list: the file was changed", table);
  mho_err err = prepare_insert(x, table, "run_id", &st, &n, ei);
  if (!err)
    sqlite3_bind_text(st, 1, json_string_value(id), -1, SQLITE_STATIC);

  const json_t *row;
  size_t i;
  json_array_foreach (rows, i, row)
    if (!err)
      err = insert_row(x, table, st, 1, n, row, ei);

  sqlite3_finalize(st);
  return err;
}

/* The studies that a run belongs to. */
static mho_err import_studies(importer *x, const json_t *names, const json_t *point,
                              const json_t *id, mho_errinfo *ei) {
  const json_t *name;
  size_t i;

  json_array_foreach (names, i, name) {
    sqlite3_stmt *st;
    mho_err err = mho__store_prepare(
        x->s, "INSERT INTO other.study_run(study, point_hash, run_id) VALUES(?1, ?2, ?3)",
        "import runs", &st, ei);
    if (err)
      return err;

    bind_value(st, 1, name);
    bind_value(st, 2, point);
    bind_value(st, 3, id);
    err = mho__store_run(x->s, st, "import runs", ei);
    sqlite3_finalize(st);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* Whether a list or object that may be absent is one. */
static bool is_list(const json_t *v) {
  return !v || json_is_array(v);
}

static bool is_object(const json_t *v) {
  return !v || json_is_object(v);
}

/* The config of a run into its row, which agrees with it. */
static mho_err complete_run(importer *x, const json_t *line, json_t *row, int at, mho_errinfo *ei) {
  const json_t *names = json_object_get(json_object_get(x->head, "tables"), "run");
  char why[256];
  mho_err err = check_row(x, "run", row, ei);
  if (err)
    return err;

  json_t *config = config_of(x, line);
  bool is_good = mho__store_run_agrees(names, row, config, why, sizeof why);
  char *text = is_good ? config_text(config, line) : NULL;
  json_decref(config);
  if (!is_good)
    return BAD(x, "%s: the file was changed", why);

  json_array_set_new(row, (size_t)at, json_string(text ? text : "{}"));
  free(text);
  return MHO_OK;
}

static mho_err import_run(importer *x, const json_t *line, mho_errinfo *ei) {
  json_t *row = json_object_get(line, "run"), *tables = json_object_get(line, "rows"), *rows;
  int at = run_column(x, "config");
  const json_t *id = value_of(x, row, "id"), *point = value_of(x, row, "point_hash");
  if (at < 0 || !json_is_string(id) || !json_is_string(point))
    return BAD(x, "a run without id, point_hash or config");
  if (!is_object(tables) || !is_object(json_object_get(line, "change")) ||
      !is_list(json_object_get(line, "studies")))
    return BAD(x, "a run's rows and change are objects and its studies a list: the file was "
                  "changed");
  mho_err err = complete_run(x, line, row, at, ei);
  if (err)
    return err;

  sqlite3_stmt *st = NULL;
  int n;
  err = prepare_insert(x, "run", NULL, &st, &n, ei);
  if (!err)
    err = insert_row(x, "run", st, 0, n, row, ei);
  sqlite3_finalize(st);

  const char *table;
  json_object_foreach (tables, table, rows)
    if (!err)
      err = import_rows(x, table, rows, id, ei);
  if (!err)
    err = import_studies(x, json_object_get(line, "studies"), point, id, ei);

  x->runs++;
  return err;
}

static mho_err import_study(importer *x, const json_t *line, mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err =
      mho__store_prepare(x->s, "INSERT INTO other.study(name, created, config) VALUES(?1, ?2, ?3)",
                         "import runs", &st, ei);
  if (err)
    return err;

  char *config =
      json_dumps(json_object_get(line, "config"), JSON_COMPACT | JSON_REAL_PRECISION(17));

  bind_value(st, 1, json_object_get(line, "study"));
  const json_t *created = json_object_get(line, "created");
  if (created)
    bind_value(st, 2, created);
  sqlite3_bind_text(st, 3, config ? config : "{}", -1, SQLITE_STATIC);

  err = mho__store_run(x->s, st, "import runs", ei);
  sqlite3_finalize(st);
  free(config);
  return err;
}

/* One line after the first: a run, a study, or the end with the number of runs. */
static mho_err read_line(importer *x, json_t *line, bool *ended, mho_errinfo *ei) {
  const json_t *end = json_object_get(line, "end");
  mho_err err = MHO_OK;

  if (json_object_get(line, "run"))
    err = import_run(x, line, ei);
  else if (json_is_string(json_object_get(line, "study")))
    err = import_study(x, line, ei);
  else if (!json_is_integer(end))
    err = BAD(x, "neither a run nor a study nor the end of a file of runs");

  *ended = end != NULL;
  if (!err && *ended && json_integer_value(end) != x->runs)
    err = BAD(x, "the file should have %lld runs and has %lld: it was changed",
              (long long)json_integer_value(end), (long long)x->runs);
  return err;
}

static mho_err read_file(importer *x, mho_errinfo *ei) {
  json_t *line = NULL;
  bool ended = false;
  mho_err err = read_head(x, ei);
  if (!err)
    err = make_tables(x, ei);

  while (!err && !ended) {
    err = next_line(x, &line, ei);
    if (err || !line)
      break;
    err = read_line(x, line, &ended, ei);
    json_decref(line);
  }

  if (!err && !ended)
    err = BAD(x, "the file ends too early: it was cut short");
  if (!err && gzgetc(x->file) >= 0) {
    x->line++;
    err = BAD(x, "there is more behind the end of the runs: the file was changed");
  }
  if (err)
    return err;

  /* Older files do not have these columns. */
  return mho__store_exec(x->s,
                         "UPDATE other.run SET kind = 'trained' WHERE kind IS NULL;"
                         "UPDATE other.checkpoint SET is_best = 0 WHERE is_best IS NULL",
                         "import runs", ei);
}

mho_err mho_store_import(mho_store *s, const char *path, mho_merge_result *out, mho_errinfo *ei) {
  *out = (mho_merge_result){0};
  importer x = {.s = s, .path = path};

  errno = 0;
  x.file = gzopen(path, "rb"); /* reads what is not compressed as well */
  if (!x.file)
    return mho_fail_at(ei, MHO_EIO, path, 0, "cannot read the runs: %s",
                       strerror(errno ? errno : ENOMEM));

  mho_err err = read_file(&x, ei);
  if (!err)
    err = mho__store_merge_attached(s, out, ei); /* detaches */
  else
    sqlite3_exec(s->db, "DETACH other", NULL, NULL, NULL);

  if (err && ei && !*ei->file)
    snprintf(ei->file, sizeof ei->file, "%s", path);
  gzclose(x.file);
  free(x.text);
  json_decref(x.head);
  return err;
}
