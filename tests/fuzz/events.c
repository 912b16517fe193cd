/* events.c - datasets of spikes: units, samples, times and labels of an .npz file; what is read is
 * in order and below its limits.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "fuzz.h"
#include "mho/model/check.h"

static void check_part(const mho_dataset *d, const mho_images *part) {
  for (int s = 0; s < part->n; s++) {
    mho_events e = mho_images_events(part, s);
    must(e.n >= 0 && part->label[s] < d->classes, "a label is of no class");
    for (int k = 0; k < e.n; k++) {
      const mho_event *x = &e.event[k];
      must(x->unit >= 0 && x->unit < d->features, "a unit is none");
      must(isfinite(x->time) && x->time >= 0, "a time is none");
      bool is_behind = k == 0 || x->unit > x[-1].unit || x->time >= x[-1].time;
      must(is_behind && (k == 0 || x->unit >= x[-1].unit), "events are in no order");
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char yaml[256];
  mho_experiment *e = NULL;
  mho_errinfo ei = {0};
  mho_dataset d;
  snprintf(yaml, sizeof yaml, "dataset: {name: events, path: '%s'}\ntrain: {batch: 1}",
           file_of(data, size));
  must(!mho_experiment_of_yaml(registry_of_all(), yaml, 0, NULL, &e, NULL), "a config is refused");

  mho_err err = mho_dataset_load((const mho_dataset_kind *)e->dataset.entry, e->dataset.params,
                                 &e->dataset_config, &d, &ei);
  check_error(err, &ei);
  if (!err) {
    must(d.train.n > 0 && d.test.n > 0 && d.features > 0, "a part is empty");
    check_part(&d, &d.train);
    check_part(&d, &d.test);
  }
  mho_dataset_free(&d);
  mho_experiment_free(e);
  return 0;
}
