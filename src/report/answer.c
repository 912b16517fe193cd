/* answer.c - a query's answer kept as text, and shown as a table.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"

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

static bool take(void *user, int n, const char *const *names, const mho_cell *c) {
  mho_answer *r = user;
  if (!c) {
    r->cols = n;
    r->name = calloc((size_t)n, sizeof *r->name);
    for (int i = 0; r->name && i < n; i++)
      r->no_memory |= !(r->name[i] = strdup(names[i]));
    return !(r->no_memory |= !r->name);
  }
  if (r->n == r->capacity) {
    int more = r->capacity ? 2 * r->capacity : 64;
    char **grown = realloc(r->cell, (size_t)more * (size_t)n * sizeof *grown);
    if (!grown)
      return !(r->no_memory = true);
    r->cell = grown;
    r->capacity = more;
  }
  char **row = r->cell + (size_t)r->n * (size_t)n;
  for (int i = 0; i < n; i++) {
    row[i] = c[i].type == MHO_CELL_NULL || c[i].type == MHO_CELL_BLOB ? NULL : cell_copy(&c[i]);
    r->no_memory |= c[i].type != MHO_CELL_NULL && c[i].type != MHO_CELL_BLOB && !row[i];
  }
  r->n++;
  return !r->no_memory;
}

mho_err mho_answer_read(mho_store *s, const char *sql, int n_args, const char *const *args,
                        mho_answer *out, mho_errinfo *ei) {
  *out = (mho_answer){0};
  mho_err err = mho_store_query(s, sql, n_args, args, 60, take, out, ei);
  if (!err && out->no_memory)
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the report");
  if (err)
    mho_answer_free(out);
  return err;
}

void mho_answer_free(mho_answer *r) {
  for (int i = 0; i < r->cols && r->name; i++)
    free(r->name[i]);
  for (size_t i = 0; i < (size_t)r->n * (size_t)r->cols; i++)
    free(r->cell[i]);
  free(r->name);
  free(r->cell);
  *r = (mho_answer){0};
}

const char *mho_answer_text(const mho_answer *r, int row, int col) {
  const char *t = r->cell[(size_t)row * (size_t)r->cols + (size_t)col];
  return t ? t : "";
}

double mho_answer_number(const mho_answer *r, int row, int col) {
  const char *t = mho_answer_text(r, row, col);
  char *end;
  double v = strtod(t, &end);
  return *t && !*end ? v : (double)NAN;
}

/* Numbers all the way down, where there is anything. */
static bool is_numeric(const mho_answer *r, int col) {
  bool any = false;
  for (int i = 0; i < r->n; i++) {
    bool empty = !*mho_answer_text(r, i, col), number = isfinite(mho_answer_number(r, i, col));
    if (!empty && !number)
      return false;
    any |= number;
  }
  return any;
}

static bool is_empty(const mho_answer *r, int col) {
  for (int i = 0; i < r->n; i++)
    if (*mho_answer_text(r, i, col))
      return false;
  return true;
}

/* A number for people: as stored when that is short. */
static void number_cell(FILE *html, const char *text) {
  char *end, shorter[32];
  double v = strtod(text, &end);
  if (*text && !*end && strlen(text) > 9)
    snprintf(shorter, sizeof shorter, "%.5g", v);
  mho_html_number(html, "%s", *text && !*end && strlen(text) > 9 ? shorter : text);
}

void mho_answer_table(FILE *html, const mho_answer *r, const char *label, int most) {
  char heads[1024] = "";
  for (int c = 0; c < r->cols; c++)
    if (!is_empty(r, c))
      mho_text_append(heads, sizeof heads, "%s%s%s", *heads ? "|" : "", is_numeric(r, c) ? "#" : "",
                      r->name[c]);
  mho_html_table_begin(html, "sortable", label, heads);
  fputs("<tbody>\n", html);
  for (int i = 0; i < r->n && i < most; i++) {
    fputs("<tr>", html);
    for (int c = 0; c < r->cols; c++)
      if (is_empty(r, c))
        continue;
      else if (is_numeric(r, c))
        number_cell(html, mho_answer_text(r, i, c));
      else
        mho_html_cell(html, "%s", mho_answer_text(r, i, c));
    fputs("</tr>\n", html);
  }
  fputs("</tbody>\n", html);
  mho_html_table_end(html);
  if (r->n > most)
    fprintf(html, "<p class=\"note\">%d more rows are not shown.</p>\n", r->n - most);
}
