/* output.c - tables for people, JSON and CSV for programs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <libsmartcols.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

struct table {
  struct libscols_table *t;
  int n;
};

table *table_new(int n, const char *const *names) {
  table *t = calloc(1, sizeof *t);
  if (!t || !(t->t = scols_new_table())) {
    fprintf(stderr, "mho: out of memory\n");
    exit(EXIT_FAILED);
  }
  t->n = n;
  scols_table_enable_colors(t->t, 0);
  scols_table_enable_nowrap(t->t, 1);
  scols_table_set_termforce(t->t,
                            isatty(STDOUT_FILENO) ? SCOLS_TERMFORCE_AUTO : SCOLS_TERMFORCE_NEVER);
  for (int i = 0; i < n; i++)
    scols_table_new_column(t->t, names[i], 0, 0);
  return t;
}

void table_right(table *t, int column) {
  scols_column_set_flags(scols_table_get_column(t->t, (size_t)column), SCOLS_FL_RIGHT);
}

void table_row(table *t, const char *const *cells) {
  struct libscols_line *line = scols_table_new_line(t->t, NULL);
  for (int i = 0; i < t->n && line; i++)
    scols_line_set_data(line, (size_t)i, cells[i] ? cells[i] : "");
}

void table_print(table *t) {
  if (isatty(
          STDOUT_FILENO)) { /* a last column that is too long for the terminal wraps instead of being cut */
    struct libscols_column *last = scols_table_get_column(t->t, (size_t)t->n - 1);
    scols_column_set_flags(last, scols_column_get_flags(last) | SCOLS_FL_WRAP);
  }
  scols_print_table(t->t);
  scols_unref_table(t->t);
  free(t);
}

mho_err take_runs(const char *db, take_fn take, int n, const char *const *files, mho_errinfo *ei) {
  mho_store *s = NULL;
  mho_merge_result r = {0};
  mho_err err = mho_store_open(db, MHO_STORE_WRITE, &s, ei);
  for (int i = 0; i < n && !err; i++) {
    err = take(s, files[i], &r, ei);
    if (!err)
      printf("%s: %d runs, %d new, %d brought up to date\n", files[i], r.runs, r.added, r.replaced);
  }
  if (!err && r.twice)
    printf("%d configs are there more than once; v_study counts the newest\n", r.twice);
  mho_store_close(s);
  return err;
}

void cell_text(const mho_cell *c, bool exact, char *buf, size_t n) {
  switch (c->type) {
  case MHO_CELL_NULL:
    snprintf(buf, n, "%s", "");
    break;
  case MHO_CELL_INT:
    snprintf(buf, n, "%lld", (long long)c->i);
    break;
  case MHO_CELL_REAL:
    snprintf(buf, n, exact ? "%.17g" : "%.6g", c->d);
    break;
  case MHO_CELL_TEXT:
    snprintf(buf, n, "%s", c->text);
    break;
  case MHO_CELL_BLOB:
    snprintf(buf, n, "(%zu bytes)", c->size);
    break;
  }
}

/* ---------------------------------------------------------------- queries */

typedef struct printer {
  output_format format;
  table *t;
  int rows;
} printer;

static void print_csv(const char *text) {
  if (!strpbrk(text, ",\"\n\r")) {
    fputs(text, stdout);
    return;
  }
  putchar('"');
  for (; *text; text++) {
    if (*text == '"')
      putchar('"');
    putchar(*text);
  }
  putchar('"');
}

static json_t *json_cell(const mho_cell *c) {
  switch (c->type) {
  case MHO_CELL_INT:
    return json_integer(c->i);
  case MHO_CELL_REAL:
    return isfinite(c->d) ? json_real(c->d) : json_null();
  case MHO_CELL_TEXT:
    return json_stringn_nocheck(c->text, c->size);
  case MHO_CELL_BLOB:
    return json_pack("{s:I}", "bytes", (json_int_t)c->size);
  case MHO_CELL_NULL:
    break;
  }
  return json_null();
}

static void print_json_row(int n, const char *const *names, const mho_cell *cells) {
  json_t *o = json_object();
  for (int i = 0; i < n; i++)
    json_object_set_new(o, names[i], json_cell(&cells[i]));
  json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
  putchar('\n');
  json_decref(o);
}

/* A number, also one that a query has formatted as text. */
static bool looks_numeric(const char *text) {
  char *end;
  strtod(text, &end);
  return *text && end != text && !*end;
}

static bool print_row(void *user, int n, const char *const *names, const mho_cell *cells) {
  printer *p = user;
  if (!cells) {
    if (p->format == FORMAT_TABLE)
      p->t = table_new(n, names);
    for (int i = 0; p->format == FORMAT_CSV && i < n; i++) {
      print_csv(names[i]);
      putchar(i + 1 < n ? ',' : '\n');
    }
    return true;
  }
  p->rows++;
  if (p->format == FORMAT_JSON) {
    print_json_row(n, names, cells);
    return true;
  }
  char **text = calloc((size_t)n, sizeof *text);
  for (int i = 0; text && i < n; i++) {
    size_t size = cells[i].type == MHO_CELL_TEXT ? cells[i].size + 1 : 64;
    text[i] = malloc(size);
    if (text[i])
      cell_text(&cells[i], p->format == FORMAT_CSV, text[i], size);
    if (p->t && text[i] && looks_numeric(text[i]))
      table_right(p->t, i);
    if (p->format == FORMAT_CSV) {
      print_csv(text[i] ? text[i] : "");
      putchar(i + 1 < n ? ',' : '\n');
    }
  }
  if (p->t && text)
    table_row(p->t, (const char *const *)text);
  for (int i = 0; text && i < n; i++)
    free(text[i]);
  free(text);
  return true;
}

mho_err print_query(mho_store *s, const char *sql, int n_args, const char *const *args,
                    double timeout_s, output_format format, int *n_rows, mho_errinfo *ei) {
  printer p = {.format = format};
  mho_err err = mho_store_query(s, sql, n_args, args, timeout_s, print_row, &p, ei);
  if (p.t)
    table_print(p.t);
  if (n_rows)
    *n_rows = p.rows;
  return err;
}

/* ---------------------------------------------------------------- what is registered */

const char *kind_section(mho_kind kind) {
  static const char *sections[] = {
      [MHO_KIND_DATASET] = "dataset", [MHO_KIND_TOPOLOGY] = "network",
      [MHO_KIND_NEURON] = "network",  [MHO_KIND_SETTLER] = "settle",
      [MHO_KIND_RULE] = "rule",       [MHO_KIND_OPTIMIZER] = "update",
      [MHO_KIND_SCHEME] = "update",   [MHO_KIND_DEVICE] = "device",
      [MHO_KIND_ARRAY] = "array",
  };
  return sections[kind];
}

void print_params(const char *prefix, mho_params params) {
  if (!params.n)
    return;
  static const char *names[] = {"  KEY", "DEFAULT", "RANGE", "MEANING"};
  table *t = table_new(4, names);
  void *defaults = mho_alloc(1, params.size);
  if (defaults)
    mho_params_init(params, defaults);
  for (int i = 0; defaults && i < params.n; i++) {
    char key[128], value[256], range[256];
    snprintf(key, sizeof key, "  %s.%s", prefix, params.p[i].name);
    mho_param_format(&params.p[i], defaults, false, value, sizeof value);
    mho_param_range(&params.p[i], range, sizeof range);
    table_row(t, (const char *[]){key, value, range, params.p[i].doc});
  }
  mho_free(defaults);
  table_print(t);
}

void print_entry(const mho_entry *e, const char *section) {
  printf("%s - %s\n", e->id, e->title);
  if (e->equation)
    printf("  %s\n", e->equation);
  if (e->source)
    printf("  %s\n", e->source);
  print_params(section, e->params);
}
