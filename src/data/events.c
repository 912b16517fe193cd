/* events.c - the dataset of spikes: each sample is a list of them, when which input fires, and has
 * a class.
 *
 * It is an .npz file or a folder of arrays (.npy, .csv):
 *
 *   x_train_events   [n x 3]: time, unit, sample; or, each of its own,
 *   x_train_times, x_train_units, x_train_samples    [n]
 *   y_train          [samples] classes, whole numbers from 0
 *
 * and the same of the test, which is else cut from the training samples. Units and samples are
 * counted from 0, times from when a sample is presented, in dataset.time_unit. The spikes may be in
 * any order, and a sample may have none.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/event_arrays.h"
#include "mho/model/check.h"

typedef struct events {
  mho_ints shape;
  double time_unit;
} events;

enum { UNITS_MAX = 1 << 24, CLASSES_MAX = 256 };

static const mho_param params[] = {
    MHO_P_INTS(events, shape, "shape", "", 1, UNITS_MAX,
               "of the inputs: how many, or [height, width], or [channels, height, width], which "
               "are counted row by row; empty: as many as the spikes name"),
    MHO_P_REAL(events, time_unit, "time_unit", "s", 1, 1e-15, 1e6,
               "what the times are in, such as 1 us; they are of the neurons' time, as settle.dt"),
};

static const mho_default defaults[] = {
    {"dynamics.name", "spiking"},
    {"settle.encode.kind", "events"},
};

/* ---------------------------------------------------------------- what is read */

enum { TIME, UNIT, SAMPLE, COLUMNS };
enum { TRAIN, TEST, PARTS };

/* A column of an array. */
typedef struct column {
  const mho_data_array *of;
  size_t first, stride;
} column;

typedef struct part {
  const char *name; /* "train" */
  mho_data_array array[COLUMNS], label;
  column column[COLUMNS];
  int samples;
  size_t events;
  int largest_unit, largest_label;
} part;

typedef struct loading {
  const events *own;
  mho_array_place place;
  part part[PARTS];
  mho_errinfo *ei;
} loading;

static double number(const column *c, size_t i) {
  return mho__npy_number(&c->of->npy, c->first + i * c->stride);
}

/* Rows of an array of one column, or of so many. */
static mho_err count_rows(const mho_data_array *a, int columns, size_t *rows, mho_errinfo *ei) {
  int have = a->npy.n_dims == 2 ? a->npy.dim[1] : 1;
  *rows = (size_t)a->npy.dim[0];
  if (have == columns)
    return MHO_OK;
  return mho_fail_at(ei, MHO_EDATA, a->name, 0, "it has %d columns: expected %s", have,
                     columns == 1 ? "one number a row" : "time, unit and sample in each row");
}

/* Times, units and samples in one array. */
static mho_err read_matrix(loading *l, part *p, const char *name) {
  mho_err err = mho__array_read(&l->place, name, &p->array[0], l->ei);
  if (!err)
    err = count_rows(&p->array[0], COLUMNS, &p->events, l->ei);
  for (int c = 0; c < COLUMNS; c++)
    p->column[c] = (column){&p->array[0], (size_t)c, COLUMNS};
  return err;
}

/* Times, units and samples of their own. */
static mho_err read_columns(loading *l, part *p) {
  static const char *const words[] = {"times", "units", "samples"};
  for (int c = 0; c < COLUMNS; c++) {
    char name[64];
    size_t rows = 0;
    snprintf(name, sizeof name, "x_%s_%s", p->name, words[c]);
    mho_err err = mho__array_read(&l->place, name, &p->array[c], l->ei);
    if (!err)
      err = count_rows(&p->array[c], 1, &rows, l->ei);
    if (err)
      return err;

    if (c > 0 && rows != p->events)
      return mho_fail(l->ei, MHO_EDATA, "%s has %zu numbers, but %s has %zu", p->array[0].name,
                      p->events, p->array[c].name, rows);
    p->events = rows;
    p->column[c] = (column){&p->array[c], 0, 1};
  }
  return MHO_OK;
}

static mho_err read_part(loading *l, int which, const char *word) {
  part *p = &l->part[which];
  char matrix[64], times[64], labels[64];
  size_t samples = 0;
  snprintf(matrix, sizeof matrix, "x_%s_events", word);
  snprintf(times, sizeof times, "x_%s_times", word);
  snprintf(labels, sizeof labels, "y_%s", word);
  p->name = word;

  bool has_columns = mho__array_is_there(&l->place, times);
  bool is_there = has_columns || mho__array_is_there(&l->place, matrix);
  bool has_labels = mho__array_is_there(&l->place, labels);
  if (which == TEST && !is_there && !has_labels)
    return MHO_OK;

  mho_err err = has_columns ? read_columns(l, p) : read_matrix(l, p, matrix);
  if (!err)
    err = mho__array_read(&l->place, labels, &p->label, l->ei);
  if (!err)
    err = count_rows(&p->label, 1, &samples, l->ei);
  p->samples = (int)samples;
  return err;
}

/* ---------------------------------------------------------------- what is checked */

/* A whole number of an array, from 0 to below the limit. */
static mho_err whole(const column *c, const char *what, size_t i, int limit, const char *of,
                     int *out, mho_errinfo *ei) {
  double v = number(c, i);
  *out = 0;
  if (v >= 0 && v < limit && v == floor(v)) {
    *out = (int)v;
    return MHO_OK;
  }
  return mho_fail_at(ei, MHO_EDATA, c->of->name, 0,
                     "%s %.9g in row %zu is none of the %s: whole numbers from 0 to %d", what, v,
                     i + 1, of, limit - 1);
}

/* How many inputs the config says that there are; 0: it does not. */
static int units_of(const events *own) {
  double units = 1;
  for (int i = 0; i < own->shape.n; i++)
    units *= own->shape.v[i];
  return own->shape.n ? (int)fmin(units, UNITS_MAX) : 0;
}

static mho_err check_event(loading *l, part *p, size_t i, int64_t *count) {
  int units = units_of(l->own), unit, sample;
  double t = number(&p->column[TIME], i) * l->own->time_unit;
  if (!isfinite(t) || t < 0)
    return mho_fail_at(l->ei, MHO_EDATA, p->column[TIME].of->name, 0,
                       "time %.9g in row %zu is none: times are from 0, when a sample is presented",
                       number(&p->column[TIME], i), i + 1);

  mho_err err = whole(&p->column[UNIT], "unit", i, units ? units : UNITS_MAX,
                      units ? "inputs (dataset.shape)" : "inputs", &unit, l->ei);
  if (!err)
    err = whole(&p->column[SAMPLE], "sample", i, p->samples, "samples that have a label", &sample,
                l->ei);
  if (err)
    return err;

  p->largest_unit = mho_max(p->largest_unit, unit);
  count[sample]++;
  return MHO_OK;
}

/* Count the events of each sample into first[sample + 1]. */
static mho_err check_events(loading *l, part *p, int64_t *first) {
  for (size_t i = 0; i < p->events; i++) {
    mho_err err = check_event(l, p, i, first + 1);
    if (err)
      return err;
  }
  for (int s = 0; s < p->samples; s++) {
    if (first[s + 1] > INT32_MAX)
      return mho_fail(l->ei, MHO_EDATA, "sample %d has more than %d spikes", s, INT32_MAX);
    first[s + 1] += first[s];
  }
  return MHO_OK;
}

static mho_err take_labels(loading *l, part *p, uint8_t *label) {
  column c = {&p->label, 0, 1};
  for (int s = 0; s < p->samples; s++) {
    int v;
    mho_err err = whole(&c, "label", (size_t)s, CLASSES_MAX, "classes", &v, l->ei);
    if (err)
      return err;
    p->largest_label = mho_max(p->largest_label, v);
    label[s] = (uint8_t)v;
  }
  return MHO_OK;
}

/* What the test's labels have to do with those of the training. */
static mho_err check_classes(const loading *l) {
  const part *train = &l->part[TRAIN], *test = &l->part[TEST];
  if (train->largest_label == 0)
    return mho_fail_at(l->ei, MHO_EDATA, train->label.name, 0,
                       "every sample is of class 0, and with one class there is nothing to learn");
  if (test->largest_label > train->largest_label)
    return mho_fail_at(l->ei, MHO_EDATA, test->label.name, 0,
                       "label %d is of a class that no training sample has: those go to %d",
                       test->largest_label, train->largest_label);
  return MHO_OK;
}

/* ---------------------------------------------------------------- in order */

static int compare(const void *a, const void *b) {
  const mho_event *x = a, *y = b;
  if (x->unit != y->unit)
    return x->unit < y->unit ? -1 : 1;
  return (x->time > y->time) - (x->time < y->time);
}

/* The events of a part, sample by sample, each in order. first[s + 1] is where the next one of
 * sample s goes, from first[s] on. */
static void sort_events(const loading *l, const part *p, int64_t *next, const int64_t *first,
                        mho_event *out) {
  memcpy(next, first, (size_t)p->samples * sizeof *next);
  for (size_t i = 0; i < p->events; i++) {
    int sample = (int)number(&p->column[SAMPLE], i);
    out[next[sample]++] = (mho_event){.time = number(&p->column[TIME], i) * l->own->time_unit,
                                      .unit = (int)number(&p->column[UNIT], i)};
  }
  for (int s = 0; s < p->samples; s++)
    qsort(out + first[s], (size_t)(first[s + 1] - first[s]), sizeof *out, compare);
}

/* ---------------------------------------------------------------- the dataset */

/* Where a part lies in memory. */
typedef struct target {
  mho_event *event;
  int64_t *first;
  uint8_t *label;
} target;

static mho_err fill_part(loading *l, int which, const target *to, int64_t *next, mho_images *out) {
  part *p = &l->part[which];
  if (p->samples == 0)
    return MHO_OK;

  mho_err err = take_labels(l, p, to->label);
  if (!err)
    err = check_events(l, p, to->first);
  if (err)
    return err;

  sort_events(l, p, next, to->first, to->event);
  *out = (mho_images){.n = p->samples, .label = to->label, .event = to->event, .first = to->first};
  return MHO_OK;
}

static void describe(const loading *l, mho_dataset *out) {
  const mho_ints *shape = &l->own->shape;
  int largest = mho_max(l->part[TRAIN].largest_unit, l->part[TEST].largest_unit);
  out->features = shape->n ? units_of(l->own) : largest + 1;
  out->width = shape->n > 1 ? shape->v[shape->n - 1] : out->features;
  out->height = shape->n > 1 ? shape->v[shape->n - 2] : 1;
  out->channels = shape->n > 2 ? shape->v[0] : 1;
  out->classes = l->part[TRAIN].largest_label + 1;
  out->scale = 1;
  SHA256Data((const uint8_t *)l->place.digests, strlen(l->place.digests), out->checksum);
}

static mho_err fill(loading *l, mho_dataset *out) {
  size_t a = (size_t)l->part[TRAIN].samples, b = (size_t)l->part[TEST].samples;
  size_t spikes = l->part[TRAIN].events + l->part[TEST].events, firsts = a + b + 2;
  size_t most = a > b ? a : b;
  int64_t *next = mho_alloc(most, sizeof *next);
  mho_event *event =
      mho_alloc(spikes * sizeof *event + firsts * sizeof(int64_t) + (a + b) * sizeof(uint8_t), 1);
  out->memory = event;
  if (!event || !next) {
    mho_free(next);
    return mho_fail(l->ei, MHO_ENOMEM, "no memory for %zu events", spikes);
  }

  int64_t *first = (int64_t *)(void *)(event + spikes);
  uint8_t *label = (uint8_t *)(first + firsts);
  target train = {event, first, label};
  target test = {event + l->part[TRAIN].events, first + a + 1, label + a};
  mho_err err = fill_part(l, TRAIN, &train, next, &out->train);
  if (!err)
    err = fill_part(l, TEST, &test, next, &out->test);
  if (!err)
    err = check_classes(l);
  if (!err)
    describe(l, out);
  mho_free(next);
  return err;
}

static mho_err load(const mho_dataset_kind *kind, const void *given, const char *path,
                    mho_dataset *out, mho_errinfo *ei) {
  loading *l = mho_alloc(1, sizeof *l);
  if (!l)
    return mho_fail(ei, MHO_ENOMEM, "no memory to read %s", path);
  l->own = given;
  l->ei = ei;

  mho_err err = mho__array_place_open(path, &l->place, ei);
  if (!err)
    err = read_part(l, TRAIN, "train");
  if (!err)
    err = read_part(l, TEST, "test");
  if (!err)
    err = fill(l, out);

  for (int i = 0; i < PARTS; i++) {
    for (int c = 0; c < COLUMNS; c++)
      mho__array_free(&l->part[i].array[c]);
    mho__array_free(&l->part[i].label);
  }
  mho__array_place_free(&l->place);
  mho_free(l);
  return err;
}

/* ---------------------------------------------------------------- combinations */

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

static mho_err check_shape(const events *own, mho_errinfo *ei) {
  double units = 1;
  for (int i = 0; i < own->shape.n; i++)
    units *= own->shape.v[i];
  if (own->shape.n > 3)
    REFUSE("dataset.shape: %d numbers: expected how many inputs, [height, width] or [channels, "
           "height, width]",
           own->shape.n);
  if (units > UNITS_MAX)
    REFUSE("dataset.shape: %.0f inputs are more than %d", units, UNITS_MAX);
  return MHO_OK;
}

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  const mho_dataset_config *c = &e->dataset_config;
  const events *own = (const events *)(const void *)e->dataset.params;
  if (!((const mho_dynamics *)e->dynamics.entry)->spikes)
    REFUSE("dataset.name: events are spikes, which neurons of dynamics.name '%s' do not hear: use "
           "dynamics spiking",
           e->dynamics.entry->id);
  if (e->settle.encode.kind != MHO_ENCODE_EVENTS)
    REFUSE("settle.encode.kind: samples of dataset.name events are spikes already, and no numbers "
           "to make some of: use events, or leave it out");
  if (c->normalize != MHO_NORMALIZE_NONE)
    REFUSE("dataset.normalize: spikes of dataset.name events have no mean and spread: use none");
  if (c->crop > 0 || c->flip)
    REFUSE("dataset.%s: spikes of dataset.name events have no pixels to move: leave it out",
           c->crop > 0 ? "crop" : "flip");
  return check_shape(own, ei);
}

const mho_dataset_kind mho_dataset_events = {
    .entry = {.abi = MHO_ABI,
              .id = "events",
              .title = "spikes, time, unit and sample, .npz or .npy in dataset.path: classes",
              .source = ".npy, .npz: the formats of NumPy",
              .params = MHO_PARAMS(events, params),
              MHO_DEFAULTS(defaults),
              .check = check},
    .takes_path = true,
    .events = true,
    .load = load,
};
