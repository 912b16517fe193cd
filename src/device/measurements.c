/* measurements.c - reading tables of measurements.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/measurements.h"
#include "base/csv_lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ROWS_MAX = 50000000, LABELS_MAX = 1 << 20 };

typedef struct reader {
  const char *path;
  mho_csv_choose choose;
  void *user;
  mho_csv_column columns[MHO_CSV_COLUMNS];
  int n, line, capacity;
  int fields;                    /* that the first line names */
  int field_of[MHO_CSV_COLUMNS]; /* of the file, -1: none */
  char **label[MHO_CSV_COLUMNS];
  int n_labels[MHO_CSV_COLUMNS];
  int *place[MHO_CSV_COLUMNS]; /* [places], hashed: number of a label + 1, 0: free */
  int places[MHO_CSV_COLUMNS]; /* a power of 2 */
  mho_csv *out;
  mho_errinfo *ei;
} reader;

void mho__csv_free(mho_csv *t) {
  for (int k = 0; k < MHO_CSV_COLUMNS; k++)
    free(t->column[k]);
  free(t->line);
  *t = (mho_csv){0};
}

/* The columns that the first line has, as the reader's caller chooses among them. */
static mho_err read_header(reader *r, const mho_csv_line *line) {
  if (line->n > MHO_CSV_FIELDS)
    return mho_fail_at(r->ei, MHO_EDATA, r->path, r->line, "%d columns: at most %d are read",
                       line->n, MHO_CSV_FIELDS);

  r->fields = line->n;
  mho_errinfo why = {0};
  mho_err err = r->choose(r->user, line->n, line->field, r->columns, r->field_of, &r->n, &why);
  for (int k = 0; k < r->n; k++)
    r->out->has[k] = r->field_of[k] >= 0;
  return err ? mho_fail_at(r->ei, err, r->path, r->line, "%s", why.message) : MHO_OK;
}

static bool is_one_of(const char *t, const char *const *words, int n) {
  for (int i = 0; i < n; i++)
    if (!strcasecmp(t, words[i]))
      return true;
  return false;
}

static bool direction(const char *t, double *out) {
  static const char *const up[] = {"up", "set", "ltp", "potentiation", "+", "1", "+1"};
  static const char *const down[] = {"down", "reset", "ltd", "depression", "-", "-1"};
  bool rises = is_one_of(t, up, MHO_COUNT(up));
  *out = rises ? 1 : -1;
  return rises || is_one_of(t, down, MHO_COUNT(down));
}

/* FNV-1a of a text. */
static uint32_t hash_of(const char *t) {
  uint32_t h = 0x811c9dc5u;
  for (; *t; t++)
    h = (h ^ (unsigned char)*t) * 0x01000193u;
  return h;
}

/* Where a label is in the table of column k, or the empty place where it belongs. */
static int *place_of(const reader *r, int k, const char *t) {
  uint32_t mask = (uint32_t)r->places[k] - 1, at = hash_of(t) & mask;
  int *place = r->place[k];
  while (place[at] && strcmp(r->label[k][place[at] - 1], t))
    at = (at + 1) & mask;
  return &place[at];
}

/* A table of column k that is at most half full with one label more. */
static bool make_places(reader *r, int k) {
  if (2 * (r->n_labels[k] + 1) <= r->places[k])
    return true;

  int more = mho_max(2 * r->places[k], 64);
  int *place = calloc((size_t)more, sizeof *place);
  if (!place)
    return false;
  free(r->place[k]);
  r->place[k] = place;
  r->places[k] = more;
  for (int i = 0; i < r->n_labels[k]; i++)
    *place_of(r, k, r->label[k][i]) = i + 1;
  return true;
}

/* Number of a label. */
static mho_err label(reader *r, int k, const char *t, double *out) {
  if (!make_places(r, k))
    return mho_fail(r->ei, MHO_ENOMEM, "no memory to read %s", r->path);

  int *place = place_of(r, k, t), n = r->n_labels[k];
  if (*place) {
    *out = *place - 1;
    return MHO_OK;
  }

  char **grown = n < LABELS_MAX ? realloc(r->label[k], (size_t)(n + 1) * sizeof *grown) : NULL;
  if (!grown)
    return mho_fail_at(r->ei, MHO_EDATA, r->path, r->line, "too many different values of '%s'",
                       r->columns[k].name);
  r->label[k] = grown;
  grown[n] = strdup(t);
  if (!grown[n])
    return mho_fail(r->ei, MHO_ENOMEM, "no memory to read %s", r->path);
  r->n_labels[k]++;
  *place = n + 1;
  *out = n;
  return MHO_OK;
}

/* Room for one more row. */
static mho_err grow(reader *r) {
  mho_csv *t = r->out;
  if (t->rows < r->capacity)
    return MHO_OK;
  if (t->rows >= ROWS_MAX)
    return mho_fail_at(r->ei, MHO_EDATA, r->path, r->line, "more than %d rows", ROWS_MAX);

  int more = r->capacity ? 2 * r->capacity : 1024;
  for (int k = 0; k < r->n; k++) {
    double *c = realloc(t->column[k], (size_t)more * sizeof *c);
    if (!c)
      return mho_fail(r->ei, MHO_ENOMEM, "no memory to read %s", r->path);
    t->column[k] = c;
  }

  int *l = realloc(t->line, (size_t)more * sizeof *l);
  if (!l)
    return mho_fail(r->ei, MHO_ENOMEM, "no memory to read %s", r->path);
  t->line = l;
  r->capacity = more;
  return MHO_OK;
}

static bool is_missing(const char *t) {
  static const char *const words[] = {"", "na", "n/a", "#n/a", "nan", "null"};
  return is_one_of(t, words, MHO_COUNT(words));
}

/* The field t of column k as a number, NaN where it is missing. */
static mho_err read_number(const reader *r, int k, const char *t, double *out) {
  if (is_missing(t) || mho__csv_number(t, out))
    return MHO_OK;

  bool comma = strchr(t, ',') != NULL;
  return mho_fail_at(r->ei, MHO_EDATA, r->path, r->line, "'%.40s' in column '%s' is no number: %s",
                     t, r->columns[k].name,
                     comma ? "write decimals with a point (1.5) and no separators of thousands"
                           : "leave empty what was not read, or write NA");
}

/* The field t of column k as a number; t is NULL when the file does not have the column. */
static mho_err read_field(reader *r, int k, const char *t, double *out) {
  *out = (double)NAN;
  if (!t)
    return MHO_OK;
  if (r->columns[k].kind == MHO_CSV_NUMBER)
    return read_number(r, k, t, out);
  if (r->columns[k].kind == MHO_CSV_LABEL)
    return label(r, k, t, out);
  if (!direction(t, out))
    return mho_fail_at(r->ei, MHO_EDATA, r->path, r->line,
                       "'%.40s' is no direction: expected up or down (set/reset, ltp/ltd, 1/-1)",
                       t);
  return MHO_OK;
}

/* A field behind those that the first line names, which is not an empty one, has none: as where
 * decimals have commas. */
static mho_err check_fields(const reader *r, const mho_csv_line *line) {
  for (int i = r->fields; i < line->n; i++)
    if (*line->field[i]) {
      mho_fail_at(r->ei, MHO_EDATA, r->path, r->line,
                  "%d fields, but the first line names %d: write decimals with a point (1.5), and "
                  "name every column",
                  line->n, r->fields);
      r->ei->col = line->column[r->fields];
      return MHO_EDATA;
    }
  return MHO_OK;
}

static mho_err read_row(reader *r, const mho_csv_line *line) {
  mho_csv *t = r->out;
  mho_err err = grow(r);
  if (!err)
    err = check_fields(r, line);
  if (err)
    return err;

  for (int k = 0; k < r->n; k++) {
    int at = r->field_of[k];
    const char *text = at < line->n ? line->field[mho_max(at, 0)] : "";
    err = read_field(r, k, at < 0 ? NULL : text, &t->column[k][t->rows]);
    if (err && at >= 0 && at < line->n)
      r->ei->col = line->column[at];
    if (err)
      return err;
  }

  t->line[t->rows++] = r->line;
  return MHO_OK;
}

/* The header, which comes first, or a row. */
static mho_err take_line(void *user, const mho_csv_line *line, mho_errinfo *ei) {
  reader *r = user;
  bool is_header = r->line == 0;
  r->line = line->number;
  return is_header ? read_header(r, line) : read_row(r, line);
}

static void free_reader(reader *r) {
  for (int k = 0; k < r->n; k++) {
    for (int i = 0; i < r->n_labels[k]; i++)
      free(r->label[k][i]);
    free(r->label[k]);
    free(r->place[k]);
  }
  free(r);
}

mho_err mho__csv_read_chosen(const char *path, mho_csv_choose choose, void *user, mho_csv *out,
                             mho_errinfo *ei) {
  *out = (mho_csv){0};
  reader *r = calloc(1, sizeof *r);
  if (!r)
    return mho_fail(ei, MHO_ENOMEM, "no memory to read %s", path);
  *r = (reader){.path = path, .choose = choose, .user = user, .out = out, .ei = ei};

  mho_err err = mho__csv_lines(path, take_line, r, ei);
  if (!err && !out->rows)
    err = mho_fail_at(ei, MHO_EDATA, path, 0, "the table has no rows");

  free_reader(r);
  if (err)
    mho__csv_free(out);
  return err;
}

/* ---------------------------------------------------------------- columns by their names */

typedef struct wanted {
  const mho_csv_column *columns;
  int n;
} wanted;

/* Where the columns that are wanted are; MHO_EDATA without one that must be there. */
static mho_err find_columns(void *user, int n, char *const *field, mho_csv_column *column, int *at,
                            int *columns, mho_errinfo *ei) {
  const wanted *w = user;
  char have[MHO_TEXT_MAX] = "";
  for (int i = 0; i < n; i++)
    mho_text_append(have, sizeof have, "%s%.40s", i ? ", " : "", field[i]);

  *columns = w->n;
  for (int k = 0; k < w->n; k++) {
    column[k] = w->columns[k];
    at[k] = -1;
    for (int i = 0; i < n; i++)
      if (!strcasecmp(field[i], column[k].name))
        at[k] = i;
    if (column[k].required && at[k] < 0)
      return mho_fail(ei, MHO_EDATA, "no column '%s': the first line must name it (it has: %.300s)",
                      column[k].name, have);
  }
  return MHO_OK;
}

mho_err mho__csv_read(const char *path, const mho_csv_column *columns, int n, mho_csv *out,
                      mho_errinfo *ei) {
  return mho__csv_read_chosen(path, find_columns, &(wanted){columns, n}, out, ei);
}
