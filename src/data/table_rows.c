/* table_rows.c - choosing columns by name or number, and reading their rows.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "data/table_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv_lines.h"

typedef struct reader {
  const char *path;
  const mho_table_want *want;
  int cols;          /* of the file; 0: not known yet */
  char **name;       /* [cols]; NULL: without a header */
  int *feature;      /* [out->features] columns */
  int *target;       /* [out->targets] columns */
  bool *is_taken;    /* [cols] */
  const int *column; /* [cols] of the line under way, characters; NULL: of no line */
  int line;          /* under way; 0: of no line */
  mho_table_rows *out;
  mho_errinfo *ei;
} reader;

static mho_err no_memory(const reader *r) {
  return mho_fail(r->ei, MHO_ENOMEM, "no memory to read %s", r->path);
}

/* An error at a field of the line under way, which holds a text or nothing. */
static mho_err at_field(const reader *r, int col, const char *text, const char *problem) {
  char message[MHO_TEXT_MAX] = "";
  if (*text)
    mho_text_append(message, sizeof message, "'%.40s' ", text);
  mho_text_append(message, sizeof message, "%s", problem);
  if (r->name)
    mho_text_append(message, sizeof message, " (column %.40s)", r->name[col]);

  mho_fail_at(r->ei, MHO_EDATA, r->path, r->line, "%s", message);
  if (r->ei && r->column)
    r->ei->col = r->column[col];
  return MHO_EDATA;
}

/* ---------------------------------------------------------------- columns */

/* The columns that a file has, for a message. */
static void list_columns(const reader *r, char *buf, size_t capacity) {
  *buf = 0;
  if (!r->name) {
    snprintf(buf, capacity, "columns 1 to %d and no names", r->cols);
    return;
  }
  for (int i = 0; i < r->cols; i++)
    mho_text_append(buf, capacity, "%s%.40s", i ? ", " : "", r->name[i]);
}

/* First and last column, from 0, that a word of a list means: a name, a number from 1, or from one
 * number to another. */
static bool find_columns(const reader *r, const char *word, int *first, int *last) {
  char rest;
  int named = r->name ? r->cols : 0;
  for (int i = 0; i < named; i++)
    if (!strcmp(r->name[i], word)) {
      *first = *last = i;
      return true;
    }

  int numbers = sscanf(word, "%d-%d%c", first, last, &rest);
  if (numbers == 1 && strspn(word, "0123456789") == strlen(word))
    *last = *first;
  else if (numbers != 2)
    return false;
  --*first;
  --*last;
  return *first >= 0 && *first <= *last && *last < r->cols;
}

/* Whether a name is that of another column too. */
static bool is_double(const reader *r, const char *word) {
  int found = 0, named = r->name ? r->cols : 0;
  for (int i = 0; i < named; i++)
    found += !strcmp(r->name[i], word);
  return found > 1;
}

/* Take the columns that one word of a list means. */
static mho_err take_word(reader *r, const char *key, const char *word, int *column, int *n) {
  char have[300];
  int first, last;
  if (!find_columns(r, word, &first, &last)) {
    list_columns(r, have, sizeof have);
    return mho_fail(r->ei, MHO_ECONFIG, "dataset.%s: %s has no column '%.60s': it has %s", key,
                    r->path, word, have);
  }

  if (is_double(r, word))
    return mho_fail(r->ei, MHO_ECONFIG,
                    "dataset.%s: more than one column of %s is named '%.60s': say which by its "
                    "number, from 1",
                    key, r->path, word);

  for (int i = first; i <= last; i++) {
    if (r->is_taken[i])
      return mho_fail(r->ei, MHO_ECONFIG,
                      "dataset.%s: column %d of %s is taken already, in dataset.features or "
                      "dataset.targets",
                      key, i + 1, r->path);
    r->is_taken[i] = true;
    column[(*n)++] = i;
  }
  return MHO_OK;
}

/* Take the columns of a list, whose words have commas between them, or blanks where it has no
 * comma. */
static mho_err take_list(reader *r, const char *key, const char *list, int *column, int *n) {
  char text[MHO_TEXT_MAX], *rest = NULL;
  int first, last;
  snprintf(text, sizeof text, "%s", list);
  if (find_columns(r, text, &first, &last)) /* such as a name with blanks in it */
    return take_word(r, key, text, column, n);

  const char *separators = strchr(text, ',') ? "," : " \t";
  for (char *word = strtok_r(text, separators, &rest); word;
       word = strtok_r(NULL, separators, &rest)) {
    mho_err err = take_word(r, key, mho__csv_trim(word), column, n);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* All columns that are not taken. */
static void take_rest(reader *r, int *column, int *n) {
  for (int i = 0; i < r->cols; i++)
    if (!r->is_taken[i])
      column[(*n)++] = i;
}

/* Choose the columns of a file whose width and names are known. Without a list the target is the
 * last column, or every one in a file without features; features are all others. */
static mho_err choose(reader *r) {
  const mho_table_want *w = r->want;
  mho_table_rows *out = r->out;
  int features = 0, targets = 0;
  r->feature = calloc((size_t)r->cols, sizeof *r->feature);
  r->target = calloc((size_t)r->cols, sizeof *r->target);
  r->is_taken = calloc((size_t)r->cols, sizeof *r->is_taken);
  if (!r->feature || !r->target || !r->is_taken)
    return no_memory(r);

  mho_err err = MHO_OK;
  if (w->features && *w->features)
    err = take_list(r, "features", w->features, r->feature, &features);
  if (!err && w->targets && *w->targets)
    err = take_list(r, "targets", w->targets, r->target, &targets);
  if (err)
    return err;

  char last[16];
  snprintf(last, sizeof last, "%d", r->cols);
  if (w->targets && !targets && w->features)
    err = take_word(r, "targets", last, r->target, &targets);
  else if (w->targets && !targets)
    take_rest(r, r->target, &targets);
  if (!err && w->features && !features)
    take_rest(r, r->feature, &features);
  if (err)
    return err;

  if (w->features && features == 0)
    return mho_fail(r->ei, MHO_ECONFIG, "dataset.features: %s has no column beside its targets",
                    r->path);
  if (w->classes && targets > 1)
    return mho_fail(r->ei, MHO_ECONFIG,
                    "dataset.targets: %d columns, but with dataset.kind classes the target is one",
                    targets);
  out->features = features;
  out->targets = targets;
  return MHO_OK;
}

/* ---------------------------------------------------------------- rows */

/* n doubles more room each time at *at. */
static bool resize(double **at, size_t n) {
  double *bigger = realloc(*at, (n ? n : 1) * sizeof *bigger);
  if (bigger)
    *at = bigger;
  return bigger;
}

static mho_err grow(reader *r) {
  mho_table_rows *t = r->out;
  if (t->n < t->capacity)
    return MHO_OK;
  if (t->capacity > INT32_MAX / 2)
    return mho_fail_at(r->ei, MHO_EDATA, r->path, r->line, "more than %d rows", t->capacity);

  int more = t->capacity ? 2 * t->capacity : 256;
  if (!resize(&t->x, (size_t)more * (size_t)t->features) ||
      !resize(&t->y, (size_t)more * (size_t)t->targets))
    return no_memory(r);
  t->capacity = more;
  return MHO_OK;
}

/* Number of a class, which is known by its text, or by its value where that is a number. */
static mho_err number_class(const reader *r, int col, const char *text, double *out) {
  mho_table_classes *c = r->want->classes;
  char canonical[32];
  double value;
  if (mho__csv_number(text, &value)) {
    snprintf(canonical, sizeof canonical, "%.17g", value);
    text = canonical;
  }

  for (int k = 0; k < c->n; k++)
    if (!strcmp(c->text[k], text)) {
      *out = k;
      return MHO_OK;
    }

  if (!*text)
    return at_field(r, col, text, "a class is missing here");
  if (c->n == MHO_TABLE_CLASSES)
    return at_field(r, col, text, "is one class more than 256: use dataset.kind values");
  c->text[c->n] = strdup(text);
  if (!c->text[c->n])
    return no_memory(r);
  *out = c->n++;
  return MHO_OK;
}

static mho_err read_number(const reader *r, int col, const char *text, double *out) {
  if (mho__csv_number(text, out))
    return MHO_OK;
  return at_field(r, col, text, *text ? "is no finite number" : "a number is missing here");
}

/* The fields of n columns. */
static mho_err read_columns(const reader *r, const mho_csv_line *line, int n, const int *column,
                            bool are_classes, double *out) {
  for (int i = 0; i < n; i++) {
    const char *text = line->field[column[i]];
    mho_err err = are_classes ? number_class(r, column[i], text, &out[i])
                              : read_number(r, column[i], text, &out[i]);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* A row of a text file. */
static mho_err read_fields(reader *r, const mho_csv_line *line) {
  mho_table_rows *t = r->out;
  if (line->n != r->cols)
    return mho_fail_at(r->ei, MHO_EDATA, r->path, r->line, "%d fields, but the first line has %d",
                       line->n, r->cols);

  mho_err err = grow(r);
  size_t row = (size_t)t->n;
  if (!err)
    err = read_columns(r, line, t->features, r->feature, false, t->x + row * (size_t)t->features);
  if (!err)
    err = read_columns(r, line, t->targets, r->target, r->want->classes != NULL,
                       t->y + row * (size_t)t->targets);
  t->n += !err;
  return err;
}

/* ---------------------------------------------------------------- text */

/* Whether the first line names the columns: it does where no field is a number. */
static mho_err judge_header(const reader *r, const mho_csv_line *line, bool *is_header) {
  int numbers = 0;
  double unused;
  for (int i = 0; i < line->n; i++)
    numbers += mho__csv_number(line->field[i], &unused);

  *is_header = r->want->header == MHO_HEADER_YES;
  if (r->want->header != MHO_HEADER_AUTO)
    return MHO_OK;
  if (numbers > 0 && numbers < line->n)
    return mho_fail_at(r->ei, MHO_EDATA, r->path, r->line,
                       "of the first line %d of %d fields are numbers: say by dataset.header "
                       "whether it names the columns (yes, no)",
                       numbers, line->n);
  *is_header = numbers == 0;
  return MHO_OK;
}

static mho_err copy_names(reader *r, const mho_csv_line *line) {
  r->name = calloc((size_t)mho_max(line->n, 1), sizeof *r->name);
  if (!r->name)
    return no_memory(r);
  for (int i = 0; i < line->n; i++) {
    r->name[i] = strdup(line->field[i]);
    if (!r->name[i])
      return no_memory(r);
  }
  return MHO_OK;
}

/* The first line: how many columns there are, and which are asked for. */
static mho_err begin(reader *r, const mho_csv_line *line, bool *is_header) {
  mho_err err = judge_header(r, line, is_header);
  r->cols = line->n;
  if (!err && *is_header)
    err = copy_names(r, line);
  return err ? err : choose(r);
}

static mho_err take_line(void *user, const mho_csv_line *line, mho_errinfo *ei) {
  reader *r = user;
  bool is_header = false;
  mho_err err = MHO_OK;
  r->line = line->number;
  r->column = line->column;

  if (!r->cols)
    err = begin(r, line, &is_header);
  return err || is_header ? err : read_fields(r, line);
}

/* ---------------------------------------------------------------- NumPy */

/* A row of a matrix. */
static mho_err read_numbers(reader *r, const double *row) {
  mho_table_rows *t = r->out;
  mho_err err = grow(r);
  if (err)
    return err;

  double *x = t->x + (size_t)t->n * (size_t)t->features;
  double *y = t->y + (size_t)t->n * (size_t)t->targets;
  for (int k = 0; k < t->features; k++)
    x[k] = row[r->feature[k]];
  for (int k = 0; k < t->targets; k++)
    y[k] = row[r->target[k]];

  if (r->want->classes && t->targets) {
    char text[32];
    snprintf(text, sizeof text, "%.17g", *y);
    err = number_class(r, r->target[0], text, y);
  }
  t->n += !err;
  return err;
}

/* A matrix; one dimension is a number a row. */
static mho_err read_matrix(reader *r) {
  mho_matrix m;
  mho_err err = mho_matrix_read(r->path, &m, r->ei);
  if (err)
    return err;

  int rows = m.is_vector ? m.cols : m.rows;
  r->cols = m.is_vector ? 1 : m.cols;
  err = choose(r);
  for (int i = 0; i < rows; i++) {
    if (err)
      break;
    err = read_numbers(r, m.v + (size_t)i * (size_t)r->cols);
  }

  mho_matrix_free(&m);
  return err;
}

mho_err mho__table_read(const char *path, const mho_table_want *want, mho_table_rows *out,
                        mho_errinfo *ei) {
  size_t length = strlen(path);
  bool is_matrix = length > 4 && !strcmp(path + length - 4, ".npy");
  if (is_matrix && want->header == MHO_HEADER_YES)
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.header: yes is of text, and dataset.path %s has no first line: use "
                    "auto",
                    path);
  reader r = {.path = path, .want = want, .out = out, .ei = ei};
  *out = (mho_table_rows){0};

  mho_err err = is_matrix ? read_matrix(&r) : mho__csv_lines(path, take_line, &r, ei);
  if (!err && out->n == 0)
    err = mho_fail_at(ei, MHO_EDATA, path, 0, "the table has no rows");

  if (r.name)
    for (int i = 0; i < r.cols; i++)
      free(r.name[i]);
  free(r.name);
  free(r.feature);
  free(r.target);
  free(r.is_taken);
  return err;
}

void mho__table_rows_free(mho_table_rows *r) {
  free(r->x);
  free(r->y);
  *r = (mho_table_rows){0};
}

/* ---------------------------------------------------------------- classes */

void mho__table_classes_sort(mho_table_classes *c, int *old) {
  bool are_numbers = true;
  double value[MHO_TABLE_CLASSES];
  for (int k = 0; k < c->n; k++)
    are_numbers &= mho__csv_number(c->text[k], &value[k]);

  for (int k = 0; k < c->n; k++) {
    old[k] = 0;
    for (int i = 0; i < c->n; i++)
      old[k] += are_numbers ? value[i] < value[k] : strcmp(c->text[i], c->text[k]) < 0;
  }
}

/* Each class adds the FNV-1a of its number and its name. */
uint64_t mho__table_classes_hash(const mho_table_classes *c, const int *class_of) {
  uint64_t sum = 0;
  for (int k = 0; k < c->n; k++) {
    uint64_t h = 0xcbf29ce484222325u ^ (uint64_t)class_of[k];
    for (const char *t = c->text[k]; *t; t++)
      h = (h ^ (unsigned char)*t) * 0x100000001b3u;
    sum += h * 0x100000001b3u;
  }
  return sum ? sum : 1;
}

void mho__table_classes_free(mho_table_classes *c) {
  for (int k = 0; k < c->n; k++)
    free(c->text[k]);
  c->n = 0;
}
