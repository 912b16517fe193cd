/* import_check.c - what the rows of a file of runs may say: numbers in their range, and none that
 * contradicts another.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/checkpoint_head.h"
#include "store/store_impl.h"

/* Numbers that only lie in a range. */
static const struct {
  const char *table, *column;
  double low, high;
} ranges[] = {
    {"run", "epochs_done", 0, 1e9},    {"run", "best_epoch", 0, 1e9},
    {"run", "final_test_acc", 0, 1},   {"run", "best_test_acc", 0, 1},
    {"run", "train_acc", 0, 1},        {"run", "val_acc", 0, 1},
    {"run", "wall_s", 0, 1e12},        {"run", "pulses", 0, 1e300},
    {"epoch", "epoch", 1, 1e9},        {"epoch", "train_acc", 0, 1},
    {"epoch", "test_acc", 0, 1},       {"epoch", "val_acc", 0, 1},
    {"epoch", "unsettled", 0, 1e18},   {"epoch", "pulses", 0, 1e300},
    {"epoch", "wall_s", 0, 1e12},      {"epoch", "eval_s", 0, 1e12},
    {"layer_epoch", "epoch", 0, 1e9},  {"layer_epoch", "rows", 1, 1e9},
    {"layer_epoch", "cols", 1, 1e9},   {"settle", "epoch", 0, 1e9},
    {"energy_epoch", "epoch", 0, 1e9}, {"checkpoint", "epoch", 0, 1e9},
    {"checkpoint", "batch", 0, 1e18},
};

static const json_t *value_of(const json_t *names, const json_t *row, const char *column) {
  const json_t *name;
  size_t i;
  json_array_foreach (names, i, name)
    if (json_is_string(name) && !strcmp(json_string_value(name), column))
      return json_array_get(row, i);
  return NULL;
}

static double number_of(const json_t *names, const json_t *row, const char *column) {
  const json_t *v = value_of(names, row, column);
  return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

bool mho__store_row_in_range(const char *table, const json_t *names, const json_t *row, char *why,
                             size_t capacity) {
  for (int i = 0; i < MHO_COUNT(ranges); i++) {
    const json_t *v = value_of(names, row, ranges[i].column);
    if (strcmp(table, ranges[i].table) || !v || json_is_null(v))
      continue;
    double number = json_is_number(v) ? json_number_value(v) : (double)NAN;
    if (number >= ranges[i].low && number <= ranges[i].high)
      continue;
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    snprintf(why, capacity, "%s of table %s is %.40s: expected %g to %g", ranges[i].column, table,
             text ? text : "?", ranges[i].low, ranges[i].high);
    free(text);
    return false;
  }
  return true;
}

/* Words of which a column has one. */
static const struct {
  const char *column, *words;
} choices[] = {{"status", " running completed interrupted failed diverged "},
               {"kind", " trained programmed "}};

static bool are_words_known(const json_t *names, const json_t *row, char *why, size_t capacity) {
  for (int i = 0; i < MHO_COUNT(choices); i++) {
    const char *word = json_string_value(value_of(names, row, choices[i].column));
    char between[80];
    snprintf(between, sizeof between, " %.70s ", word ? word : "");
    if (!word || strstr(choices[i].words, between))
      continue;
    int n = (int)strlen(choices[i].words) - 1;
    snprintf(why, capacity, "the %s of a run is '%.40s': expected one of%.*s", choices[i].column,
             word, n, choices[i].words);
    return false;
  }
  return true;
}

static bool is_id(const char *id) {
  static const char *const characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "abcdefghijklmnopqrstuvwxyz";
  size_t n = strlen(id);
  return n > 0 && n < MHO_ID_MAX && strspn(id, characters) == n;
}

bool mho__store_run_agrees(const json_t *names, const json_t *row, const json_t *config, char *why,
                           size_t capacity) {
  const char *id = json_string_value(value_of(names, row, "id"));
  double done = number_of(names, row, "epochs_done"), best = number_of(names, row, "best_epoch");
  const json_t *epochs = json_object_get(json_object_get(config, "train"), "epochs");

  if (!are_words_known(names, row, why, capacity))
    return false;
  if (id && !is_id(id)) {
    snprintf(why, capacity, "a run's id is '%.40s': expected 1 to %d letters and digits", id,
             MHO_ID_MAX - 1);
    return false;
  }
  if (id && !strcmp(id, "last")) {
    snprintf(why, capacity, "a run's id cannot be '%s', which means the newest", id);
    return false;
  }
  if (best > done) {
    snprintf(why, capacity, "the best epoch of run %.31s is %g, but %g are done", id, best, done);
    return false;
  }
  if (json_is_number(epochs) && done > json_number_value(epochs)) {
    snprintf(why, capacity, "%g epochs of run %.31s are done, but its config has %g", done, id,
             json_number_value(epochs));
    return false;
  }
  return true;
}

/* The first bytes of a value in hexadecimal digits. */
static size_t first_bytes(const json_t *v, unsigned char *out, size_t n) {
  const char *hex = json_string_value(json_object_get(v, "hex"));
  size_t k = 0;
  while (hex && k < n && sscanf(hex + 2 * k, "%2hhx", &out[k]) == 1)
    k++;
  return k;
}

bool mho__store_checkpoint_agrees(const json_t *names, const json_t *row, char *why,
                                  size_t capacity) {
  unsigned char head[sizeof(mho_checkpoint_head)];
  size_t n = first_bytes(value_of(names, row, "data"), head, sizeof head);
  double epoch = number_of(names, row, "epoch"), batch = number_of(names, row, "batch");
  if (!mho__checkpoint_contradicts(head, n, (int64_t)epoch, (int64_t)batch))
    return true;

  mho_checkpoint_head h;
  memcpy(&h, head, sizeof h);
  snprintf(why, capacity,
           "a checkpoint of epoch %lld, batch %lld is said to be of epoch %g, batch "
           "%g",
           (long long)h.epoch, (long long)h.batch, epoch, batch);
  return false;
}
