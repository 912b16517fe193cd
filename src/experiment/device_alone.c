/* device_alone.c - a device without a network: its experiment, and what pulses do to it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/device.h"
#include "mho/model/check.h"

enum { CARD_PATH_MAX = 2 * MHO_TEXT_MAX };

static bool there_is_card(const char *name) {
  char file[CARD_PATH_MAX];
  return !mho_card_find(name, NULL, file, sizeof file, NULL);
}

bool mho_device_is_card(const mho_registry *r, const char **name) {
  static const char model[] = "model:", card[] = "card:";
  if (!strncmp(*name, model, strlen(model))) {
    *name += strlen(model);
    return false;
  }
  if (!strncmp(*name, card, strlen(card))) {
    *name += strlen(card);
    return true;
  }
  return there_is_card(*name) || !mho_registry_find(r, MHO_KIND_DEVICE, *name);
}

/* "device.card=NAME" before the assignments of the caller, as an experiment. */
static mho_err with_device(const mho_registry *r, const char *key, const char *name, int n_set,
                           const char *const *set, mho_experiment **out, mho_errinfo *ei) {
  char first[MHO_TEXT_MAX];
  const char **all = calloc((size_t)n_set + 1, sizeof *all);
  mho_config *c = NULL;
  if (!all)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the config of a device");

  snprintf(first, sizeof first, "device.%s=%s", key, name);
  all[0] = first;
  for (int i = 0; i < n_set; i++)
    all[i + 1] = set[i];

  mho_err err = mho_config_load(NULL, n_set + 1, all, &c, ei);
  if (!err)
    err = mho_experiment_new(r, c, false, out, ei);

  mho_config_free(c);
  free(all);
  return err;
}

mho_err mho_experiment_of_device(const mho_registry *r, const char *name, int n_set,
                                 const char *const *set, mho_experiment **out, mho_errinfo *ei) {
  char file[CARD_PATH_MAX];
  *out = NULL;
  if (!mho_device_is_card(r, &name))
    return with_device(r, "model", name, n_set, set, out, ei);

  mho_err err = mho_card_find(name, NULL, file, sizeof file, ei);
  if (err)
    return mho_fail(ei, err, "there is no device model or card '%s'; 'mho device list' names them",
                    name);
  return with_device(r, "card", name, n_set, set, out, ei);
}

/* SET pulses of a cycle: by the step about from end to end. */
static int set_pulses(const mho_device_model *m, const mho_experiment *e) {
  double step = mho_device_nominal_step(m, e->device.params, &e->device_config);
  return step > 0 ? (int)fmin(fmax(ceil(1.2 / step), 20), 20000) : 100;
}

mho_err mho_experiment_curve(const mho_experiment *e, const mho_curve_options *o,
                             mho_curve_point **points, int *n, mho_errinfo *ei) {
  const mho_device_model *m = (const mho_device_model *)e->device.entry;
  mho_curve_options c = *o;
  if (c.cells < 1 || c.cycles < 1 || c.set < 0)
    return mho_fail(ei, MHO_EINVAL, "%d cells, %d cycles of %d pulses: there must be some", c.cells,
                    c.cycles, c.set);
  if (c.set == 0)
    c.set = set_pulses(m, e);
  if (c.reset < 0)
    c.reset = m->one_way ? 1 : c.set;
  return mho_device_curve(m, e->device.params, &e->device_config, &c, points, n, ei);
}
