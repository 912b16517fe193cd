/* merge.c - care of a database: taking in the runs of another one, giving room back.
 *
 * Merging is idempotent: a run is known by its id. One that is here already is replaced only when
 * the other has more of it (ended, or more epochs), so shards may be merged while they still grow,
 * in any order, again and again. Studies come with their runs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <stdio.h>
#include <string.h>

mho_err mho__store_columns_of(mho_store *s, const char *table, char *out, size_t n,
                              mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(
      s, "SELECT group_concat(name, ', ') FROM pragma_table_xinfo(?1) WHERE hidden = 0",
      "read the schema", &st, ei);
  if (err)
    return err;

  sqlite3_bind_text(st, 1, table, -1, SQLITE_STATIC);
  int rc = sqlite3_step(st);
  if (rc == SQLITE_ROW && sqlite3_column_text(st, 0))
    snprintf(out, n, "%s", (const char *)sqlite3_column_text(st, 0));
  else
    err = mho__store_fail(s, rc, "read the schema", ei);

  sqlite3_finalize(st);
  return err;
}

mho_err mho__store_tables_of_runs(mho_store *s, char *out, size_t n, mho_errinfo *ei) {
  sqlite3_stmt *st;
  mho_err err = mho__store_prepare(
      s,
      "SELECT group_concat(m.name, ' ') FROM main.sqlite_schema AS m WHERE type = 'table' AND "
      "name <> 'study_run' AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) AS c WHERE "
      "c.name = 'run_id')",
      "read the schema", &st, ei);
  if (err)
    return err;

  int rc = sqlite3_step(st);
  if (rc == SQLITE_ROW && sqlite3_column_text(st, 0))
    snprintf(out, n, "%s", (const char *)sqlite3_column_text(st, 0));
  else
    err = mho__store_fail(s, rc, "read the schema", ei);

  sqlite3_finalize(st);
  return err;
}

static mho_err copy_table(mho_store *s, const char *table, const char *leave_out, mho_errinfo *ei) {
  char columns[2048], chosen[2048] = "", sql[8192], *save = NULL;
  mho_err err = mho__store_columns_of(s, table, columns, sizeof columns, ei);
  if (err)
    return err;

  for (char *c = strtok_r(columns, ", ", &save); c; c = strtok_r(NULL, ", ", &save))
    if (!leave_out || strcmp(c, leave_out))
      mho_text_append(chosen, sizeof chosen, "%s%s", *chosen ? ", " : "", c);

  snprintf(
      sql, sizeof sql,
      "INSERT INTO main.%s(%s) SELECT %s FROM other.%s WHERE run_id IN (SELECT id FROM temp.taken)",
      table, chosen, chosen, table);
  return mho__store_exec(s, sql, "merge", ei);
}

static const char choose[] =
    "CREATE TEMP TABLE taken(id TEXT PRIMARY KEY, is_new INTEGER); INSERT INTO temp.taken "
    "SELECT o.id, m.id IS NULL FROM other.run AS o LEFT JOIN main.run AS m USING (id) "
    "WHERE m.id IS NULL OR (m.status NOT IN ('completed', 'diverged') AND (o.status IN "
    "('completed', 'diverged') OR o.epochs_done > m.epochs_done))";

static mho_err copy_locked(mho_store *s, mho_merge_result *out, mho_errinfo *ei) {
  char tables[1024], *save = NULL;
  char columns[2048], sql[8192];
  int64_t n;

  mho_err err = mho__store_exec(s, choose, "merge", ei);
  if (!err)
    err = mho__store_int(s, "SELECT count(*) FROM other.run", NULL, 0, &n, ei);
  out->runs = err ? 0 : (int)n;
  if (!err)
    err = mho__store_int(s, "SELECT coalesce(sum(is_new), 0) FROM temp.taken", NULL, 0, &n, ei);
  out->added = err ? 0 : (int)n;
  if (!err)
    err = mho__store_int(s, "SELECT count(*) FROM temp.taken WHERE NOT is_new", NULL, 0, &n, ei);
  out->replaced = err ? 0 : (int)n;

  /* What belongs to the replaced runs goes with them (ON DELETE CASCADE). */
  if (!err)
    err = mho__store_exec(s, "DELETE FROM main.run WHERE id IN (SELECT id FROM temp.taken)",
                          "merge", ei);
  if (!err)
    err = mho__store_columns_of(s, "run", columns, sizeof columns, ei);
  if (!err) {
    snprintf(
        sql, sizeof sql,
        "INSERT INTO main.run(%s) SELECT %s FROM other.run WHERE id IN (SELECT id FROM temp.taken)",
        columns, columns);
    err = mho__store_exec(s, sql, "merge", ei);
  }

  if (!err)
    err = mho__store_tables_of_runs(s, tables, sizeof tables, ei);
  if (err)
    return err;

  /* A table's own numbers are given anew. */
  for (char *t = strtok_r(tables, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
    err = copy_table(s, t, "id", ei);
    if (err)
      return err;
  }

  return mho__store_exec(
      s,
      "INSERT OR IGNORE INTO main.study(name, created, config) SELECT name, created, config FROM "
      "other.study; INSERT OR IGNORE INTO main.study_run(study, point_hash, run_id) SELECT study, "
      "point_hash, run_id FROM other.study_run WHERE run_id IN (SELECT id FROM main.run)",
      "merge", ei);
}

/* A run trained in two shards at once is there twice, under both ids: merge says how many are. */
static mho_err count_twice(mho_store *s, mho_merge_result *out, mho_errinfo *ei) {
  int64_t n;
  mho_err err = mho__store_int(
      s,
      "SELECT count(*) FROM (SELECT 1 FROM run WHERE status = 'completed' GROUP BY config_hash "
      "HAVING count(*) > 1)",
      NULL, 0, &n, ei);
  out->twice = err ? 0 : (int)n;
  return err;
}

mho_err mho__store_merge_attached(mho_store *s, mho_merge_result *out, mho_errinfo *ei) {
  *out = (mho_merge_result){0};
  mho_err err = mho__store_begin(s, ei);
  if (!err)
    err = mho__store_end(s, copy_locked(s, out, ei), ei);
  sqlite3_exec(s->db, "DROP TABLE IF EXISTS temp.taken; DETACH other", NULL, NULL, NULL);
  return err ? err : count_twice(s, out, ei);
}

mho_err mho_store_merge(mho_store *s, const char *path, mho_merge_result *out, mho_errinfo *ei) {
  *out = (mho_merge_result){0};
  mho_store *other;

  /* It is first opened like any other: that checks whose file it is, its version and whether it is
   * whole, and folds in its log. */
  mho_err err = mho_store_open(path, MHO_STORE_READ, &other, ei);
  if (err)
    return err;

  if (!strcmp(other->file, s->file))
    err = mho_fail(ei, MHO_EINVAL, "'%s' is the database to merge into: name others", path);

  char *uri = err ? NULL : mho__store_path_uri(other->file, "?mode=ro");
  if (!err && !uri)
    err = mho_fail(ei, MHO_ENOMEM, "no memory to open '%s'", path);
  if (!err)
    err = mho__store_run_texts(s, "ATTACH ?1 AS other", 1, (const char *const *)&uri,
                               "open the database to merge", ei);
  mho_free(uri);
  if (!err)
    err = mho__store_merge_attached(s, out, ei);

  mho_store_close(other);
  return err;
}

mho_err mho_store_vacuum(mho_store *s, int64_t *before, int64_t *after, mho_errinfo *ei) {
  sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  *before = mho__store_path_size(s->file, "");
  mho_err err = mho__store_exec(s, "VACUUM; ANALYZE", "vacuum", ei);
  sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  *after = mho__store_path_size(s->file, "");
  return err;
}
