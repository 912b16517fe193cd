/* answer.c - a query's answer stored as text, and shown as a table.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"

enum { SECONDS_MAX = 60 };

/* ---------------------------------------------------------------- reading */

static bool has_value(const mho_cell *c) {
  return c->type != MHO_CELL_NULL && c->type != MHO_CELL_BLOB;
}

static char *cell_copy(const mho_cell *c) {
  char text[64];
  if (c->type == MHO_CELL_TEXT)
    return strdup(c->text);
  if (c->type == MHO_CELL_INT)
    snprintf(text, sizeof text, "%lld", (long long)c->i);
  else
    snprintf(text, sizeof text, "%.10g", c->d);
  return strdup(text);
}

static bool take_names(mho_answer *a, int n, const char *const *names) {
  a->cols = n;
  a->name = calloc((size_t)n, sizeof *a->name);
  if (!a->name)
    return false;

  for (int i = 0; i < n; i++) {
    a->name[i] = strdup(names[i]);
    if (!a->name[i])
      return false;
  }

  return true;
}

/* Room for one record more, all of it NULL; the record, or NULL without memory. */
static char **append(mho_answer *a) {
  size_t cols = (size_t)a->cols;
  if (a->n == a->capacity) {
    int more = a->capacity ? 2 * a->capacity : 64;
    char **grown = realloc(a->cell, (size_t)more * cols * sizeof *grown);
    if (!grown)
      return NULL;
    a->cell = grown;
    a->capacity = more;
  }

  char **record = a->cell + (size_t)a->n * cols;
  memset(record, 0, cols * sizeof *record);
  a->n++;
  return record;
}

static bool take_record(mho_answer *a, int n, const mho_cell *c) {
  char **record = append(a);
  if (!record)
    return false;

  for (int i = 0; i < n; i++) {
    if (!has_value(&c[i]))
      continue;
    record[i] = cell_copy(&c[i]);
    if (!record[i])
      return false;
  }

  return true;
}

/* The names of the columns come first, without cells. */
static bool take(void *user, int n, const char *const *names, const mho_cell *c) {
  mho_answer *a = user;
  bool taken = c ? take_record(a, n, c) : take_names(a, n, names);
  a->no_memory = !taken;
  return taken;
}

mho_err mho__answer_read(mho_store *s, const char *sql, int n_args, const char *const *args,
                         mho_answer *out, mho_errinfo *ei) {
  *out = (mho_answer){0};
  mho_err err = mho_store_query(s, sql, n_args, args, SECONDS_MAX, take, out, ei);
  if (!err && out->no_memory)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the report");
  if (err)
    mho__answer_free(out);
  return err;
}

void mho__answer_free(mho_answer *a) {
  size_t cells = (size_t)a->n * (size_t)a->cols;
  if (a->name)
    for (int i = 0; i < a->cols; i++)
      free(a->name[i]);

  for (size_t i = 0; i < cells; i++)
    free(a->cell[i]);
  free(a->name);
  free(a->cell);
  *a = (mho_answer){0};
}

/* ---------------------------------------------------------------- values */

/* Whether all of a text is a number. */
static bool parse_number(const char *text, double *v) {
  char *end;
  *v = strtod(text, &end);
  return *text && !*end;
}

const char *mho__answer_text(const mho_answer *a, int record, int col) {
  const char *text = a->cell[(size_t)record * (size_t)a->cols + (size_t)col];
  return text ? text : "";
}

double mho__answer_number(const mho_answer *a, int record, int col) {
  double v;
  return parse_number(mho__answer_text(a, record, col), &v) ? v : (double)NAN;
}

int mho__answer_group_end(const mho_answer *a, int start) {
  const char *group = mho__answer_text(a, start, 0);
  int i = start;
  while (i < a->n && !strcmp(mho__answer_text(a, i, 0), group))
    i++;
  return i;
}

int mho__answer_groups(const mho_answer *a) {
  int groups = 0;
  for (int i = 0; i < a->n; i = mho__answer_group_end(a, i))
    groups++;
  return groups;
}

bool mho__answer_few_epochs(const mho_answer *a, int col) {
  for (int i = 0; i < a->n; i++)
    if (mho__answer_number(a, i, col) > 9)
      return false;
  return true;
}

/* ---------------------------------------------------------------- the table */

/* Whether there are numbers all the way down, where there is anything. */
static bool is_numeric(const mho_answer *a, int col) {
  bool any = false;
  for (int i = 0; i < a->n; i++) {
    bool empty = !*mho__answer_text(a, i, col), number = isfinite(mho__answer_number(a, i, col));
    if (!empty && !number)
      return false;
    any |= number;
  }
  return any;
}

static bool is_empty(const mho_answer *a, int col) {
  for (int i = 0; i < a->n; i++)
    if (*mho__answer_text(a, i, col))
      return false;
  return true;
}

/* A number for people: as stored when that is short. */
static void number_cell(FILE *html, const char *text) {
  double v;
  if (parse_number(text, &v) && strlen(text) > 9)
    mho__html_number(html, "%.5g", v);
  else
    mho__html_number(html, "%s", text);
}

static void write_record(FILE *html, const mho_answer *a, int record) {
  fputs("<tr>", html);
  for (int c = 0; c < a->cols; c++) {
    const char *text = mho__answer_text(a, record, c);
    if (is_empty(a, c))
      continue;
    if (is_numeric(a, c))
      number_cell(html, text);
    else
      mho__html_cell(html, "%s", text);
  }
  fputs("</tr>\n", html);
}

void mho__answer_table(FILE *html, const mho_answer *a, const char *label, int most) {
  char heads[1024] = "";
  for (int c = 0; c < a->cols; c++) {
    if (is_empty(a, c))
      continue;
    mho_text_append(heads, sizeof heads, "%s", *heads ? "|" : "");
    mho_text_append(heads, sizeof heads, "%s%s", is_numeric(a, c) ? "#" : "", a->name[c]);
  }

  mho__html_table_begin(html, "sortable", label, heads);
  fputs("<tbody>\n", html);
  for (int i = 0; i < mho_min(a->n, most); i++)
    write_record(html, a, i);
  fputs("</tbody>\n", html);
  mho__html_table_end(html);
  if (a->n > most)
    fprintf(html, "<p class=\"note\">%d more rows are not shown.</p>\n", a->n - most);
}
