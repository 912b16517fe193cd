/* table.c - tables of samples: columns, headers, classes; what is read is cut and has scales.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "fuzz.h"
#include "mho/model/check.h"

/* An experiment on the table, with classes or values. */
static mho_experiment *experiment_on(const char *path, const char *kind) {
  char yaml[256];
  mho_experiment *e = NULL;
  snprintf(yaml, sizeof yaml,
           "dataset: {name: table, path: '%s', kind: %s, split: random}\ntrain: {batch: 1}", path,
           kind);
  must(!mho_experiment_of_yaml(registry_of_all(), yaml, 0, NULL, &e, NULL), "a config is refused");
  return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *path = file_of(data, size);
  static const char *const kinds[] = {"values", "classes"};
  for (int k = 0; k < 2; k++) {
    mho_errinfo ei = {0};
    mho_dataset d;
    mho_experiment *e = experiment_on(path, kinds[k]);
    mho_err err = mho_dataset_load((const mho_dataset_kind *)e->dataset.entry, e->dataset.params,
                                   &e->dataset_config, &d, &ei);
    check_error(err, &ei);
    if (!err) {
      must(d.train.n > 0 && d.test.n > 0 && d.features > 0, "a part is empty");
      must(mho_dataset_outputs(&d) > 0, "nothing is answered");
      must(d.feature_spread[0] > 0 && isfinite(d.feature_spread[0]), "a spread is not positive");
    }
    mho_dataset_free(&d);
    mho_experiment_free(e);
  }
  return 0;
}
