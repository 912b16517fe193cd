/* text_table.c - tables for people: of texts, of a query's answer, of what is registered.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <libsmartcols.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/real_text.h"
#include "cli/cli.h"
#include "mho/model/entry.h"

struct table {
  struct libscols_table *t;
  int n;
};

table *table_new(int n, const char *const *names) {
  table *t = calloc(1, sizeof *t);
  struct libscols_table *columns = scols_new_table();
  if (!t || !columns) {
    fprintf(stderr, "mho: out of memory\n");
    exit(EXIT_FAILED);
  }

  *t = (table){.t = columns, .n = n};
  scols_table_enable_colors(columns, 0);
  scols_table_enable_nowrap(columns, 1);
  scols_table_set_termforce(columns,
                            isatty(STDOUT_FILENO) ? SCOLS_TERMFORCE_AUTO : SCOLS_TERMFORCE_NEVER);
  for (int i = 0; i < n; i++)
    scols_table_new_column(columns, names[i], 0, 0);
  return t;
}

void table_right(table *t, int column) {
  scols_column_set_flags(scols_table_get_column(t->t, (size_t)column), SCOLS_FL_RIGHT);
}

void table_row(table *t, const char *const *cells) {
  struct libscols_line *line = scols_table_new_line(t->t, NULL);
  if (!line)
    return;
  for (int i = 0; i < t->n; i++)
    scols_line_set_data(line, (size_t)i, cells[i] ? cells[i] : "");
}

void table_free(table *t) {
  scols_unref_table(t->t);
  free(t);
}

void table_print(table *t) {
  /* on a terminal a last column that is too long wraps instead of being cut */
  if (isatty(STDOUT_FILENO)) {
    struct libscols_column *last = scols_table_get_column(t->t, (size_t)t->n - 1);
    scols_column_set_flags(last, scols_column_get_flags(last) | SCOLS_FL_WRAP);
  }

  scols_print_table(t->t);
  table_free(t);
}

/* ---------------------------------------------------------------- cells of a query */

void cell_text(const mho_cell *c, bool exact, char *buf, size_t n) {
  char number[MHO_REAL_TEXT];

  switch (c->type) {
  case MHO_CELL_NULL:
    snprintf(buf, n, "%s", "");
    break;
  case MHO_CELL_INT:
    snprintf(buf, n, "%lld", (long long)c->i);
    break;
  case MHO_CELL_REAL:
    if (exact) {
      mho__real_text(c->d, number);
      snprintf(buf, n, "%s", number);
    } else {
      snprintf(buf, n, "%.6g", c->d);
    }
    break;
  case MHO_CELL_TEXT:
    snprintf(buf, n, "%s", c->text);
    break;
  case MHO_CELL_BLOB:
    snprintf(buf, n, "(%zu bytes)", c->size);
    break;
  }
}

static json_t *json_cell(const mho_cell *c) {
  switch (c->type) {
  case MHO_CELL_INT:
    return json_integer(c->i);
  case MHO_CELL_REAL:
    return number_or_null(c->d);
  case MHO_CELL_TEXT:
    return text_json(c->text);
  case MHO_CELL_BLOB:
    return json_pack("{s:I}", "bytes", (json_int_t)c->size);
  case MHO_CELL_NULL:
    break;
  }
  return json_null();
}

/* A field of CSV, in quotes where it needs them (RFC 4180). */
static void print_csv_field(const char *text) {
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

static void print_csv_line(int n, const char *const *fields) {
  for (int i = 0; i < n; i++) {
    print_csv_field(fields[i] ? fields[i] : "");
    putchar(i + 1 < n ? ',' : '\n');
  }
}

/* ---------------------------------------------------------------- queries */

typedef struct printer {
  output_format format;
  table *t; /* NULL: not a table */
  int rows;
} printer;

output_format format_of(const common_options *o) {
  if (o->json)
    return FORMAT_JSON;
  return o->csv ? FORMAT_CSV : FORMAT_TABLE;
}

/* Not flushed one by one: an answer may have very many. */
static void print_json_row(int n, const char *const *names, const mho_cell *cells) {
  json_t *o = json_object(), *v;
  const char *name;
  char number[MHO_REAL_TEXT], between = '{';
  for (int i = 0; i < n; i++)
    json_object_set_new(o, names[i], json_cell(&cells[i]));

  json_object_foreach (o, name, v) {
    json_t *key = json_string(name);
    putchar(between);
    json_dumpf(key, stdout, JSON_ENCODE_ANY);
    json_decref(key);
    between = ',';

    putchar(':');
    if (json_is_real(v)) { /* jansson's have tails */
      mho__real_text(json_real_value(v), number);
      printf(strpbrk(number, ".e") ? "%s" : "%s.0", number);
    } else {
      json_dumpf(v, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    }
  }
  fputs(between == '{' ? "{}\n" : "}\n", stdout);
  json_decref(o);
}

/* A number, also one that a query has formatted as text. */
static bool looks_numeric(const char *text) {
  char *end;
  strtod(text, &end);
  return *text && end != text && !*end;
}

/* The cells as texts, [n]; NULL without memory, and so may each text be. */
static char **texts_of(int n, const mho_cell *cells, bool exact) {
  char **text = calloc((size_t)n, sizeof *text);
  if (!text)
    return NULL;
  for (int i = 0; i < n; i++) {
    size_t size = cells[i].type == MHO_CELL_TEXT ? cells[i].size + 1 : 64;
    text[i] = malloc(size);
    if (text[i])
      cell_text(&cells[i], exact, text[i], size);
  }
  return text;
}

/* A column with a number in it is aligned to the right. */
static void print_table_row(table *t, int n, const char *const *text) {
  for (int i = 0; i < n; i++)
    if (text[i] && looks_numeric(text[i]))
      table_right(t, i);
  table_row(t, text);
}

static void print_text_row(printer *p, int n, const mho_cell *cells) {
  char **text = texts_of(n, cells, p->format == FORMAT_CSV);
  if (!text)
    return;

  if (p->format == FORMAT_CSV)
    print_csv_line(n, (const char *const *)text);
  else
    print_table_row(p->t, n, (const char *const *)text);

  for (int i = 0; i < n; i++)
    free(text[i]);
  free(text);
}

/* Without cells it is the head of the answer. */
static bool print_row(void *user, int n, const char *const *names, const mho_cell *cells) {
  printer *p = user;
  if (!cells) {
    if (p->format == FORMAT_TABLE)
      p->t = table_new(n, names);
    else if (p->format == FORMAT_CSV)
      print_csv_line(n, names);
    return true;
  }

  p->rows++;
  if (p->format == FORMAT_JSON)
    print_json_row(n, names, cells);
  else
    print_text_row(p, n, cells);
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
      [MHO_KIND_DATASET] = "dataset",  [MHO_KIND_TOPOLOGY] = "network",
      [MHO_KIND_NEURON] = "network",   [MHO_KIND_DYNAMICS] = "dynamics",
      [MHO_KIND_SETTLER] = "settle",   [MHO_KIND_RULE] = "rule",
      [MHO_KIND_OPTIMIZER] = "update", [MHO_KIND_SCHEME] = "update",
      [MHO_KIND_DEVICE] = "device",    [MHO_KIND_MAPPING] = "device",
      [MHO_KIND_ARRAY] = "array",
  };
  return sections[kind];
}

void default_text(mho_params params, const mho_param *p, char *buf, size_t n) {
  void *defaults = mho_alloc(1, params.size);
  *buf = 0;
  if (!defaults)
    return;
  mho_params_init(params, defaults);
  mho_param_format(p, defaults, false, buf, n);
  mho_free(defaults);
}

void print_params(const char *prefix, mho_params params) {
  static const char *names[] = {"  KEY", "DEFAULT", "RANGE", "MEANING"};
  if (!params.n)
    return;

  table *t = table_new(4, names);
  for (int i = 0; i < params.n; i++) {
    char key[128], value[256], range[256];
    snprintf(key, sizeof key, "  %s.%s", prefix, params.p[i].name);
    default_text(params, &params.p[i], value, sizeof value);
    mho_param_range(&params.p[i], range, sizeof range);
    table_row(t, (const char *[]){key, value, range, params.p[i].doc});
  }
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
