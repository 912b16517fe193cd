/* export.c - runs as a file of text: for version control, and for a database elsewhere.
 *
 * JSON Lines. The first line names the kind of file, the schema, the columns of every table in it
 * and the config that most others differ little from; the last says how many runs there are, so
 * that a file that was cut shows.
 *   {"mho":"runs","schema":4,"tables":{"run":["id",...],"epoch":["epoch",...]},"config":{...}}
 *   {"study":"noise","created":"...","config":{...}}
 *   {"run":["32ypd...",...],"studies":["noise"],"change":{...},"rows":{"epoch":[[1,...],...]}}
 *   {"end":12}
 * A run's config is the first line's with `change` merged into it (RFC 7396), or "config" in full
 * where that would not give the same text. Numbers have 17 digits: they come back bit for bit.
 * Bytes are hexadecimal, and so are those of a text that are no UTF-8: \xNN.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json_text.h"
#include "base/whole_file.h"
#include "store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { DUMP = JSON_COMPACT | JSON_REAL_PRECISION(17), TABLES_MAX = 32, COLUMNS = 2048 };

typedef struct exporter {
  mho_store *s;
  const mho_export_options *o;
  const char *path;
  gzFile file;
  char run_columns[COLUMNS];
  int n_tables;
  char table[TABLES_MAX][64];
  char columns[TABLES_MAX][COLUMNS]; /* without run_id */
  sqlite3_stmt *rows[TABLES_MAX];    /* of a table's rows of a run; NULL before the first */
  sqlite3_stmt *studies;             /* of a run's studies; the same */
  char *base;                        /* config of the first line, as stored */
  json_t *base_json;                 /* the same; NULL where it is no JSON */
  mho_export_result *out;
} exporter;

static mho_err fail_write(const exporter *x, mho_errinfo *ei) {
  int why = errno ? errno : EIO;
  return mho_fail_at(ei, mho__io_error(why), x->path, 0, "cannot write the runs: %s",
                     strerror(why));
}

/* One line; takes the object. */
static mho_err put(exporter *x, json_t *line, mho_errinfo *ei) {
  char *text = line ? json_dumps(line, DUMP) : NULL;
  json_decref(line);
  if (!text)
    return mho_fail(ei, MHO_ENOMEM, "no memory to write a run");

  size_t n = strlen(text);
  errno = 0;
  bool bad = gzwrite(x->file, text, (unsigned)n) != (int)n || gzputc(x->file, '\n') < 0;
  free(text);
  return bad ? fail_write(x, ei) : MHO_OK;
}

/* ---------------------------------------------------------------- values */

static json_t *bytes_json(const unsigned char *data, size_t n) {
  static const char digit[] = "0123456789abcdef";
  char *hex = malloc(2 * n + 1);
  if (!hex)
    return NULL;

  for (size_t i = 0; i < n; i++) {
    hex[2 * i] = digit[data[i] >> 4];
    hex[2 * i + 1] = digit[data[i] & 15];
  }
  hex[2 * n] = 0;

  json_t *j = json_pack("{s:o}", "hex", json_stringn_nocheck(hex, 2 * n));
  free(hex);
  return j;
}

/* A text of the database as JSON, which has UTF-8 only. */
static json_t *text_json(exporter *x, const char *text, size_t n) {
  json_t *plain = json_stringn(text, n);
  if (plain)
    return plain;

  char *escaped = mho_text_escape(text, n, false);
  x->out->escaped++;
  plain = escaped ? json_string(escaped) : NULL;
  free(escaped);
  return plain;
}

static json_t *value_json(exporter *x, sqlite3_stmt *st, int i) {
  switch (sqlite3_column_type(st, i)) {
  case SQLITE_INTEGER:
    return json_integer(sqlite3_column_int64(st, i));
  case SQLITE_FLOAT: {
    double v = sqlite3_column_double(st, i);
    if (isfinite(v))
      return json_real(v);
    return json_pack("{s:s}", "real", v > 0 ? "inf" : "-inf");
  }
  case SQLITE_TEXT: {
    const char *text = (const char *)sqlite3_column_text(st, i);
    return text_json(x, text, (size_t)sqlite3_column_bytes(st, i));
  }
  case SQLITE_BLOB: {
    const void *data = sqlite3_column_blob(st, i);
    return bytes_json(data, (size_t)sqlite3_column_bytes(st, i));
  }
  default:
    return json_null();
  }
}

static json_t *row_json(exporter *x, sqlite3_stmt *st) {
  json_t *row = json_array();
  for (int i = 0; i < sqlite3_column_count(st); i++)
    json_array_append_new(row, value_json(x, st, i));
  return row;
}

/* All rows of a statement about ?1 as a list of lists. The statement is made of sql when it is
 * first wanted: making it anew for each of 100,000 runs would take most of the time. */
static mho_err rows_json(exporter *x, sqlite3_stmt **statement, const char *sql, const char *arg,
                         json_t **out, mho_errinfo *ei) {
  *out = json_array();
  mho_err err = *statement ? MHO_OK : mho__store_prepare(x->s, sql, "read the runs", statement, ei);
  if (err)
    return err;

  sqlite3_stmt *st = *statement;
  sqlite3_bind_text(st, 1, arg, -1, SQLITE_STATIC);
  int rc;
  while (mho__store_next(st, &rc))
    json_array_append_new(*out, row_json(x, st));
  if (rc != SQLITE_DONE)
    err = mho__store_fail(x->s, rc, "read the runs", ei);

  sqlite3_reset(st);
  return err;
}

/* ---------------------------------------------------------------- configs */

/* The merge patch (RFC 7396) that makes `to` of `from`; NULL members say "take it away". */
static json_t *difference(const json_t *from, const json_t *to) {
  json_t *patch = json_object(), *value;
  const char *key;

  json_object_foreach ((json_t *)(uintptr_t)from, key, value)
    if (!json_object_get(to, key))
      json_object_set_new(patch, key, json_null());

  json_object_foreach ((json_t *)(uintptr_t)to, key, value) {
    const json_t *old = json_object_get(from, key);
    if (old && json_equal(old, value))
      continue;
    if (json_is_object(old) && json_is_object(value))
      json_object_set_new(patch, key, difference(old, value));
    else
      json_object_set(patch, key, value);
  }
  return patch;
}

static void add_config(exporter *x, json_t *line, const char *config) {
  json_t *base = json_deep_copy(x->base_json), *own = mho__json_of_text(config, NULL);
  json_t *patch = base && own ? difference(base, own) : NULL;
  if (patch)
    mho__store_patch(base, patch);

  /* The text itself is written where the patch would give another order of keys. */
  char *again = patch ? json_dumps(base, DUMP) : NULL;
  if (again && !strcmp(again, config))
    json_object_set(line, "change", patch);
  else
    json_object_set_new(line, "config", text_json(x, config, strlen(config)));

  free(again);
  json_decref(base);
  json_decref(own);
  json_decref(patch);
}

void mho__store_patch(json_t *at, const json_t *patch) {
  json_t *value;
  const char *key;

  json_object_foreach ((json_t *)(uintptr_t)patch, key, value) {
    json_t *old = json_object_get(at, key);
    if (json_is_null(value))
      json_object_del(at, key);
    else if (json_is_object(value) && json_is_object(old))
      mho__store_patch(old, value);
    else
      json_object_set(at, key, value);
  }
}

/* ---------------------------------------------------------------- lines */

static json_t *names_json(const char *columns) {
  char copy[COLUMNS], *save = NULL;
  json_t *list = json_array();
  snprintf(copy, sizeof copy, "%s", columns);
  for (char *c = strtok_r(copy, ", ", &save); c; c = strtok_r(NULL, ", ", &save))
    json_array_append_new(list, json_string(c));
  return list;
}

static mho_err put_head(exporter *x, mho_errinfo *ei) {
  json_t *tables = json_object();
  json_object_set_new(tables, "run", names_json(x->run_columns));
  for (int i = 0; i < x->n_tables; i++)
    json_object_set_new(tables, x->table[i], names_json(x->columns[i]));

  json_t *config = x->base_json ? json_incref(x->base_json) : json_object();
  return put(x,
             json_pack("{s:s, s:i, s:o, s:o}", "mho", MHO_STORE_FILE_KIND, "schema",
                       MHO_STORE_VERSION, "tables", tables, "config", config),
             ei);
}

static mho_err put_studies(exporter *x, mho_errinfo *ei) {
  json_t *rows;
  sqlite3_stmt *statement = NULL;
  mho_err err = rows_json(
      x, &statement,
      "SELECT name, created, config FROM study WHERE name IN (SELECT study FROM study_run "
      "WHERE run_id IN (SELECT id FROM temp.chosen)) OR name = ?1 ORDER BY name",
      x->o->study, &rows, ei);
  sqlite3_finalize(statement);

  json_t *row;
  size_t i;
  json_array_foreach (rows, i, row) {
    if (err)
      break;
    json_t *config = mho__json_of_text(json_string_value(json_array_get(row, 2)), NULL);
    err = put(x,
              json_pack("{s:O, s:O, s:o}", "study", json_array_get(row, 0), "created",
                        json_array_get(row, 1), "config", config ? config : json_object()),
              ei);
  }

  json_decref(rows);
  return err;
}

/* What belongs to a run, table by table. */
static mho_err add_rows(exporter *x, const char *id, json_t *line, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  json_t *tables = json_object(), *rows;

  for (int i = 0; i < x->n_tables; i++) {
    if (err)
      break;
    char sql[COLUMNS + 128];
    snprintf(sql, sizeof sql, "SELECT %s FROM %s WHERE run_id = ?1 ORDER BY 1, 2", x->columns[i],
             x->table[i]);
    err = rows_json(x, &x->rows[i], sql, id, &rows, ei);
    if (!err && json_array_size(rows))
      json_object_set(tables, x->table[i], rows);
    json_decref(rows);
  }

  json_object_set_new(line, "rows", tables);
  return err;
}

static mho_err add_studies(exporter *x, const char *id, json_t *line, mho_errinfo *ei) {
  json_t *rows, *row, *names = json_array();
  size_t i;
  mho_err err =
      rows_json(x, &x->studies, "SELECT study FROM study_run WHERE run_id = ?1 ORDER BY study", id,
                &rows, ei);

  json_array_foreach (rows, i, row)
    json_array_append(names, json_array_get(row, 0));
  json_decref(rows);
  json_object_set_new(line, "studies", names);
  return err;
}

/* A run as the statement's row has it: id, config, then the columns. */
static mho_err put_run(exporter *x, sqlite3_stmt *st, mho_errinfo *ei) {
  char id[MHO_ID_MAX];
  json_t *line = json_object(), *row = json_array();
  snprintf(id, sizeof id, "%s", (const char *)sqlite3_column_text(st, 0));

  for (int i = 2; i < sqlite3_column_count(st); i++) {
    const char *name = sqlite3_column_name(st, i);
    const char *text = (const char *)sqlite3_column_text(st, i);
    bool running = !strcmp(name, "status") && text && !strcmp(text, "running");
    if (!strcmp(name, "config"))
      json_array_append_new(row, json_null());
    else
      json_array_append_new(row, running ? json_string("interrupted") : value_json(x, st, i));
  }

  json_object_set_new(line, "run", row);
  add_config(x, line, (const char *)sqlite3_column_text(st, 1));
  mho_err err = add_studies(x, id, line, ei);
  if (!err)
    err = add_rows(x, id, line, ei);

  if (err)
    json_decref(line);
  else
    err = put(x, line, ei);
  x->out->runs += !err;
  return err;
}

static mho_err put_runs(exporter *x, mho_errinfo *ei) {
  char sql[COLUMNS + 128];
  sqlite3_stmt *st;

  snprintf(sql, sizeof sql,
           "SELECT id, config, %s FROM run WHERE id IN (SELECT id FROM temp.chosen) ORDER BY id",
           x->run_columns);
  mho_err err = mho__store_prepare(x->s, sql, "read the runs", &st, ei);
  if (err)
    return err;

  int rc = SQLITE_DONE;
  while (!err && mho__store_next(st, &rc))
    err = put_run(x, st, ei);
  if (!err && rc != SQLITE_DONE)
    err = mho__store_fail(x->s, rc, "read the runs", ei);

  sqlite3_finalize(st);
  return err ? err : put(x, json_pack("{s:i}", "end", x->out->runs), ei);
}

/* ---------------------------------------------------------------- what is written */

static bool wanted(const exporter *x, const char *table) {
  bool state = !strcmp(table, "checkpoint") || !strcmp(table, "artifact");
  if (state)
    return x->o->checkpoints;

  if (!x->o->tables)
    return strcmp(table, "settle_sample") != 0 && strcmp(table, "prediction") != 0;

  char word[68], words[1024];
  snprintf(word, sizeof word, ",%s,", table);
  snprintf(words, sizeof words, ",%s,", x->o->tables);
  return strstr(words, word) != NULL;
}

/* Every word of options.tables must be a table. */
static mho_err check_tables(const exporter *x, const char *all, mho_errinfo *ei) {
  char words[1024], known[1100], one[80], *save = NULL;
  snprintf(words, sizeof words, "%s", x->o->tables ? x->o->tables : "");
  snprintf(known, sizeof known, " %s ", all);

  for (char *w = strtok_r(words, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
    snprintf(one, sizeof one, " %s ", w);
    if (strcmp(w, "none") && !strstr(known, one))
      return mho_fail(ei, MHO_EINVAL,
                      "there is no table '%s' of what belongs to a run; there are: %s", w, all);
  }
  return MHO_OK;
}

/* One more table with all its columns but run_id and its own numbers. */
static mho_err add_table(exporter *x, const char *table, mho_errinfo *ei) {
  char columns[COLUMNS], *walk = NULL;
  mho_err err = mho__store_columns_of(x->s, table, columns, sizeof columns, ei);
  if (err)
    return err;

  char *taken = x->columns[x->n_tables];
  for (char *c = strtok_r(columns, ", ", &walk); c; c = strtok_r(NULL, ", ", &walk))
    if (strcmp(c, "run_id") && strcmp(c, "id"))
      mho_text_append(taken, COLUMNS, "%s%s", *taken ? ", " : "", c);

  snprintf(x->table[x->n_tables++], sizeof x->table[0], "%s", table);
  return MHO_OK;
}

static mho_err read_tables(exporter *x, mho_errinfo *ei) {
  char all[1024], *save = NULL;

  mho_err err = mho__store_columns_of(x->s, "run", x->run_columns, sizeof x->run_columns, ei);
  if (!err)
    err = mho__store_tables_of_runs(x->s, all, sizeof all, ei);
  if (!err)
    err = check_tables(x, all, ei);
  if (err)
    return err;

  for (char *t = strtok_r(all, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
    if (!wanted(x, t) || x->n_tables == TABLES_MAX)
      continue;
    err = add_table(x, t, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

static mho_err choose(exporter *x, int n, const char *const *ids, mho_errinfo *ei) {
  /* Runs that a study stopped early are finished: nobody wants to go on with them. */
  static const char unfinished[] =
      "status IN ('running', 'interrupted') AND coalesce(error, '') NOT LIKE 'stopped early%'";
  char sql[512];
  int64_t left = 0;

  /* query_only is lifted for the temporary table, which is no content of the database. */
  mho_err err = mho__store_exec(
      x->s,
      "PRAGMA query_only = OFF; DROP TABLE IF EXISTS temp.chosen; CREATE TEMP TABLE "
      "chosen(id TEXT PRIMARY KEY)",
      "choose the runs", ei);
  if (!err && x->o->all)
    err =
        mho__store_exec(x->s, "INSERT INTO temp.chosen SELECT id FROM run", "choose the runs", ei);

  for (int i = 0; i < n; i++) {
    if (!err)
      err = mho__store_need_run(x->s, ids[i], ei);
    if (!err)
      err = mho__store_run_texts(x->s, "INSERT OR IGNORE INTO temp.chosen VALUES(?1)", 1, &ids[i],
                                 "choose the runs", ei);
  }

  if (!err && x->o->study)
    err = mho__store_run_texts(
        x->s, "INSERT OR IGNORE INTO temp.chosen SELECT run_id FROM study_run WHERE study = ?1", 1,
        &x->o->study, "choose the runs", ei);
  if (err || x->o->checkpoints)
    return err;

  snprintf(sql, sizeof sql,
           "SELECT count(*) FROM run WHERE id IN (SELECT id FROM temp.chosen) AND %s", unfinished);
  err = mho__store_int(x->s, sql, NULL, 0, &left, ei);
  x->out->unfinished = (int)left;
  snprintf(sql, sizeof sql, "DELETE FROM temp.chosen WHERE id IN (SELECT id FROM run WHERE %s)",
           unfinished);
  return err ? err : mho__store_exec(x->s, sql, "choose the runs", ei);
}

/* The config that the others are told as changes of: of the oldest run. */
static mho_err read_base(exporter *x, mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(
      x->s, "SELECT config FROM run WHERE id = (SELECT min(id) FROM temp.chosen)", "read the runs",
      &st, ei);
  if (err)
    return err;

  int rc = sqlite3_step(st);
  x->base = strdup(rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : "{}");
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    err = mho__store_fail(x->s, rc, "read the runs", ei);
  else if (!x->base)
    err = mho_fail(ei, MHO_ENOMEM, "no memory to write the runs");
  else
    x->base_json = mho__json_of_text(x->base, NULL);

  sqlite3_finalize(st);
  return err;
}

static mho_err write_lines(exporter *x, mho_errinfo *ei) {
  mho_err err = put_head(x, ei);
  if (!err)
    err = put_studies(x, ei);
  return err ? err : put_runs(x, ei);
}

/* The lines through zlib, into the file behind w. */
static mho_err compress_lines(exporter *x, const mho_whole_file *w, mho_errinfo *ei) {
  const char *end = strrchr(x->path, '.');
  const char *mode = end && !strcmp(end, ".gz") ? "wb9" : "wbT"; /* T: plain text */

  errno = 0;
  int own = dup(mho__whole_descriptor(w)); /* gzclose closes it */
  x->file = own < 0 ? NULL : gzdopen(own, mode);
  if (!x->file && own >= 0)
    close(own);

  mho_err err = x->file ? write_lines(x, ei) : fail_write(x, ei);
  if (x->file && gzclose(x->file) != Z_OK && !err)
    err = fail_write(x, ei);
  return err;
}

static mho_err write_file(exporter *x, mho_errinfo *ei) {
  mho_whole_file w;
  if (!mho__whole_open(x->path, &w))
    return fail_write(x, ei);
  return mho__whole_end(&w, compress_lines(x, &w, ei), "cannot write the runs", ei);
}

mho_err mho_store_export(mho_store *s, int n, const char *const *ids, const mho_export_options *o,
                         const char *path, mho_export_result *out, mho_errinfo *ei) {
  *out = (mho_export_result){0};
  exporter *x = mho_alloc(1, sizeof *x);
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory to write the runs");

  *x = (exporter){.s = s, .o = o, .path = path, .out = out};

  /* The transaction shows one state of the database, whoever writes meanwhile. */
  mho_err err = read_tables(x, ei);
  if (!err)
    err = choose(x, n, ids, ei);
  if (!err)
    err = mho__store_exec(s, "BEGIN", "read the runs", ei);
  if (!err)
    err = read_base(x, ei);
  if (!err)
    err = write_file(x, ei);

  for (int i = 0; i < x->n_tables; i++)
    sqlite3_finalize(x->rows[i]);
  sqlite3_finalize(x->studies);
  if (!sqlite3_get_autocommit(s->db))
    sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
  sqlite3_exec(s->db, "DROP TABLE IF EXISTS temp.chosen", NULL, NULL, NULL);
  if (s->mode == MHO_STORE_READ)
    sqlite3_exec(s->db, "PRAGMA query_only = ON", NULL, NULL, NULL);

  free(x->base);
  json_decref(x->base_json);
  mho_free(x);
  return err;
}
