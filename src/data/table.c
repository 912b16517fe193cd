/* table.c - the dataset of any table: rows of numbers, whose targets are values or classes.
 *
 * It lies in a file, whose last rows or random ones are the test, or in a folder:
 *
 *   train.csv, test.csv                               one table each
 *   x_train.csv, y_train.csv, x_test.csv, y_test.csv  features and targets apart
 *   x.csv, y.csv                                      the same, cut as one file is
 *
 * or the same names with .npy.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/streams.h"
#include "data/file.h"
#include "data/table_rows.h"
#include "mho/model/check.h"

typedef struct table {
  char features[MHO_TEXT_MAX], targets[MHO_TEXT_MAX];
  int kind, header, split;
} table;

enum { KIND_VALUES, KIND_CLASSES };
enum { SPLIT_LAST, SPLIT_RANDOM };

static const mho_param params[] = {
    MHO_P_TEXT(table, features, "features", "",
               "columns that are inputs: names, numbers from 1 or ranges such as 1-4, with commas "
               "between them; empty: all but the targets"),
    MHO_P_TEXT(table, targets, "targets", "", "columns that are answered; empty: the last one"),
    MHO_P_CHOICE(table, kind, "kind", "values|classes", KIND_VALUES,
                 "what the targets are: numbers, or one column with up to 256 words or numbers"),
    MHO_P_CHOICE(table, header, "header", "auto|yes|no", MHO_HEADER_AUTO,
                 "whether the first line of text names the columns; auto: where no field of it is "
                 "a number"),
    MHO_P_CHOICE(table, split, "split", "last|random", SPLIT_LAST,
                 "of one table the test is the last rows, or random ones (the same for any seed); "
                 "dataset.test says how many, 0: a fifth"),
};

static const mho_default defaults[] = {{"dataset.normalize", "columns"}};

/* ---------------------------------------------------------------- files */

enum { TRAIN, TEST, PARTS };

/* The files of a table: x, and y where targets lie apart. A part without x is cut from the
 * other. */
typedef struct places {
  char x[PARTS][MHO_DATA_PATH], y[PARTS][MHO_DATA_PATH];
} places;

static bool is_there(const char *folder, const char *name, const char *ending,
                     char path[MHO_DATA_PATH]) {
  bool is = mho__data_part(folder, name, ending, path);
  if (!is)
    *path = 0;
  return is;
}

/* Whether a folder has files of one of the forms. */
static bool find_in(const char *folder, places *p) {
  static const char *const endings[] = {"csv", "npy"};
  for (int i = 0; i < MHO_COUNT(endings); i++) {
    const char *e = endings[i];
    *p = (places){0};
    if (is_there(folder, "train", e, p->x[TRAIN])) {
      is_there(folder, "test", e, p->x[TEST]);
      return true;
    }
    if (is_there(folder, "x_train", e, p->x[TRAIN]) && is_there(folder, "y_train", e, p->y[TRAIN]))
      return is_there(folder, "x_test", e, p->x[TEST]) && is_there(folder, "y_test", e, p->y[TEST]);
    if (is_there(folder, "x", e, p->x[TRAIN]) && is_there(folder, "y", e, p->y[TRAIN]))
      return true;
  }
  return false;
}

static mho_err find_files(const char *path, places *p, mho_errinfo *ei) {
  static const char what[] = "which table? Name a file (.csv, .npy) or a folder with train.csv and "
                             "test.csv, or x.npy and y.npy";
  bool is_folder = false;
  *p = (places){0};
  mho_err err = mho__data_place(path, what, &is_folder, ei);
  if (err)
    return err;

  if (!is_folder) {
    snprintf(p->x[TRAIN], MHO_DATA_PATH, "%s", path);
    return MHO_OK;
  }
  if (find_in(path, p))
    return MHO_OK;
  return mho_fail(ei, MHO_ENOTFOUND,
                  "dataset.path: '%s' has no table: put there train.csv and test.csv, x.csv and "
                  "y.csv, or x_train.csv, y_train.csv, x_test.csv and y_test.csv, or the same "
                  "with .npy",
                  path);
}

/* ---------------------------------------------------------------- parts */

/* What is read of a table, part by part. */
typedef struct loading {
  const table *t;
  mho_table_classes classes;
  mho_table_rows part[PARTS];
  char digests[2 * PARTS * (MHO_DATA_HEX - 1) + 1]; /* of the files, one after the other */
  mho_errinfo *ei;
} loading;

static mho_err add_digest(loading *l, const char *path) {
  char hex[MHO_DATA_HEX];
  if (!SHA256File(path, hex))
    return mho_fail_at(l->ei, MHO_EIO, path, 0, "cannot read the table");
  mho_text_append(l->digests, sizeof l->digests, "%s", hex);
  return MHO_OK;
}

/* Features and targets of two files. */
static mho_err read_pair(loading *l, const mho_table_want *both, const char *x_path,
                         const char *y_path, mho_table_rows *out) {
  mho_table_want want_x = *both, want_y = *both;
  mho_table_rows y = {0};
  want_x.targets = NULL;
  want_x.classes = NULL;
  want_y.features = NULL;

  mho_err err = mho__table_read(x_path, &want_x, out, l->ei);
  if (!err)
    err = mho__table_read(y_path, &want_y, &y, l->ei);
  if (!err && y.n != out->n)
    err = mho_fail(l->ei, MHO_EDATA, "%s has %d rows, but %s has %d", x_path, out->n, y_path, y.n);
  if (!err) {
    free(out->y);
    out->y = y.y;
    out->targets = y.targets;
    y.y = NULL;
  }
  mho__table_rows_free(&y);
  return err ? err : add_digest(l, y_path);
}

static mho_err read_part(loading *l, const places *p, int part) {
  mho_table_want want = {.features = l->t->features,
                         .targets = l->t->targets,
                         .header = l->t->header,
                         .classes = l->t->kind == KIND_CLASSES ? &l->classes : NULL};
  mho_table_rows *out = &l->part[part];
  if (!*p->x[part])
    return MHO_OK;

  mho_err err = add_digest(l, p->x[part]);
  if (err)
    return err;
  if (*p->y[part])
    return read_pair(l, &want, p->x[part], p->y[part], out);
  return mho__table_read(p->x[part], &want, out, l->ei);
}

static mho_err check_parts(const loading *l, const places *p) {
  const mho_table_rows *a = &l->part[TRAIN], *b = &l->part[TEST];
  if (b->n > 0 && l->t->split == SPLIT_RANDOM)
    return mho_fail(l->ei, MHO_ECONFIG,
                    "dataset.split: random is of one table, and dataset.path has a test of its "
                    "own, %s: use last",
                    p->x[TEST]);
  if (b->n == 0 || (a->features == b->features && a->targets == b->targets))
    return MHO_OK;
  return mho_fail(l->ei, MHO_EDATA, "%s has %d features and %d targets, but %s has %d and %d",
                  p->x[TRAIN], a->features, a->targets, p->x[TEST], b->features, b->targets);
}

/* ---------------------------------------------------------------- the dataset */

/* Row i of what is cut into parts: as they lie, or in a random order. */
static mho_err draw_order(const loading *l, int **order) {
  int n = l->part[TRAIN].n;
  *order = mho_alloc((size_t)n, sizeof **order);
  if (!*order)
    return mho_fail(l->ei, MHO_ENOMEM, "no memory for a table of %d rows", n);

  if (l->t->split == SPLIT_RANDOM && l->part[TEST].n == 0)
    mho_rng_permutation(mho__stream_split(), 0, n, *order);
  else
    for (int i = 0; i < n; i++)
      (*order)[i] = i;
  return MHO_OK;
}

/* Where the parts lie in memory. */
typedef struct target {
  double *x, *y;
  uint8_t *label;
} target;

/* A row to where the next one lies, and on. */
static void put_row(const loading *l, const mho_table_rows *from, int row, const int *class_of,
                    target *to) {
  size_t features = (size_t)from->features, targets = (size_t)from->targets;
  memcpy(to->x, from->x + (size_t)row * features, features * sizeof *to->x);
  to->x += features;

  if (l->t->kind == KIND_CLASSES) {
    *to->label++ = (uint8_t)class_of[(int)from->y[row]];
    return;
  }
  memcpy(to->y, from->y + (size_t)row * targets, targets * sizeof *to->y);
  to->y += targets;
}

static mho_err fill(loading *l, const int *order, mho_dataset *out) {
  const mho_table_rows *a = &l->part[TRAIN], *b = &l->part[TEST];
  size_t n = (size_t)a->n + (size_t)b->n;
  bool is_class = l->t->kind == KIND_CLASSES;
  size_t numbers = (size_t)a->features + (is_class ? 0 : (size_t)a->targets);
  if (is_class && l->classes.n < 2)
    return mho_fail(l->ei, MHO_EDATA,
                    "dataset.kind: every row is of class '%.60s', and with one class there is "
                    "nothing to learn",
                    l->classes.text[0]);

  double *x = mho_alloc(n, numbers * sizeof *x + is_class);
  if (!x)
    return mho_fail(l->ei, MHO_ENOMEM, "no memory for a table of %zu rows", n);

  double *y = x + n * (size_t)a->features;
  target to = {.x = x, .y = is_class ? NULL : y, .label = is_class ? (uint8_t *)y : NULL};
  int class_of[MHO_TABLE_CLASSES];
  mho__table_classes_sort(&l->classes, class_of);

  out->memory = x;
  out->train = (mho_images){.n = a->n, .x = to.x, .target = to.y, .label = to.label};
  for (int i = 0; i < a->n; i++)
    put_row(l, a, order[i], class_of, &to);
  if (b->n)
    out->test = (mho_images){.n = b->n, .x = to.x, .target = to.y, .label = to.label};
  for (int i = 0; i < b->n; i++)
    put_row(l, b, i, class_of, &to);

  out->features = out->width = a->features;
  out->height = out->channels = 1;
  out->classes = l->classes.n;
  out->class_names = is_class ? mho__table_classes_hash(&l->classes, class_of) : 0;
  out->values = is_class ? 0 : a->targets;
  out->scale = 1;
  SHA256Data((const uint8_t *)l->digests, strlen(l->digests), out->checksum);
  return MHO_OK;
}

static mho_err load(const mho_dataset_kind *kind, const void *given, const char *path,
                    mho_dataset *out, mho_errinfo *ei) {
  places p;
  mho_err err = find_files(path, &p, ei);
  if (err)
    return err;

  loading *l = mho_alloc(1, sizeof *l);
  if (!l)
    return mho_fail(ei, MHO_ENOMEM, "no memory to read %s", path);
  l->t = given;
  l->ei = ei;

  int *order = NULL;
  err = read_part(l, &p, TRAIN);
  if (!err)
    err = read_part(l, &p, TEST);
  if (!err)
    err = check_parts(l, &p);
  if (!err)
    err = draw_order(l, &order);
  if (!err)
    err = fill(l, order, out);

  mho_free(order);
  mho__table_rows_free(&l->part[TRAIN]);
  mho__table_rows_free(&l->part[TEST]);
  mho__table_classes_free(&l->classes);
  mho_free(l);
  return err;
}

/* ---------------------------------------------------------------- combinations */

static bool has_values(const void *given) {
  return ((const table *)given)->kind == KIND_VALUES;
}

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  const mho_dataset_config *c = &e->dataset_config;
  bool is_softmax = e->network.output == MHO_OUTPUT_SOFTMAX;
  if (has_values(e->dataset.params) && is_softmax)
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.kind: values are no classes, whose probabilities network.output "
                    "softmax answers: use dataset.kind classes, or network.output linear");
  if (c->crop > 0 || c->flip)
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.%s: rows of dataset.name table have no pixels to move: leave it out",
                    c->crop > 0 ? "crop" : "flip");
  return MHO_OK;
}

const mho_dataset_kind mho_dataset_table = {
    .entry = {.abi = MHO_ABI,
              .id = "table",
              .title = "rows of numbers, CSV or .npy, in dataset.path: values or classes",
              .source = "CSV: RFC 4180; .npy: the format of NumPy",
              .params = MHO_PARAMS(table, params),
              MHO_DEFAULTS(defaults),
              .check = check},
    .takes_path = true,
    .load = load,
    .has_values = has_values,
};
