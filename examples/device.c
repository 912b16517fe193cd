/* device.c - a device model outside of mho: a step that falls with the root of what is left,
 *
 *   SET    dg = +s sqrt(1 - g)
 *   RESET  dg = -s sqrt(g)
 *
 * g normalized; registered under a name of its own, and trained with. docs/extend.md explains it.
 *
 *   cc device.c -o device $(pkg-config --cflags --libs mho) -lm && ./device
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <mho/mho.h>
#include <mho/model/device.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Its config keys. */
typedef struct root {
  double step;
} root;

static const mho_param table[] = {
    MHO_P_REAL(root, step, "step", "", 0.01, 1e-6, 1, "step at an empty cell, of the range"),
};

/* What varies from cell to cell. */
enum { UP, DOWN, COLUMNS };

static void columns(const void *params, const mho_device_draw *d, float *const *col) {
  const root *p = params;
  for (int i = 0; i < d->n; i++) {
    col[UP][i] = (float)p->step * d->up[i];
    col[DOWN][i] = (float)p->step * d->down[i];
  }
}

static void pulse(const mho_device_block *b) {
  for (int i = 0; i < b->n; i++) {
    bool set = b->dir[i] > 0;
    float left = set ? 1 - b->g[i] : b->g[i];
    float root_left = sqrtf(left > 0 ? left : 0);
    b->out[i] = set ? b->col[UP][i] * root_left : -b->col[DOWN][i] * root_left;
  }
}

static bool noisy(const void *params) {
  return false;
}

/* The same law in a circuit. */
static mho_err spice(const void *params, const mho_device_config *config, mho_device_spice *s,
                     mho_errinfo *ei) {
  mho_device_spice_param(s, "s", ((const root *)params)->step);
  strcpy(s->set, "V(g)+s*sqrt(max(1-V(g),0))");
  strcpy(s->reset, "V(g)-s*sqrt(max(V(g),0))");
  return MHO_OK;
}

static const mho_device_model root_step = {
    .entry = {.abi = MHO_ABI,
              .id = "root_step",
              .title = "a step that falls with the root of what is left",
              .equation = "SET dg = s sqrt(1 - g), RESET dg = -s sqrt(g)",
              .params = MHO_PARAMS(root, table)},
    .n_columns = COLUMNS,
    .columns = columns,
    .pulse = pulse,
    .noisy = noisy,
    .spice = spice,
};

int main(void) {
  static const char *const set[] = {
      "device={model: root_step, step: 0.004, variation: {step: 0.2}}", "update.scheme=accumulate",
      "network.hidden=[32]", "train={epochs: 5, batch: 20}"};
  mho_errinfo why = {0};
  mho_registry *r = NULL;
  mho_experiment *e = NULL;
  mho_train_options o = {0};
  mho_train_result result = {0};

  mho_err err = mho_registry_new(&r, &why);
  if (!err)
    err = mho_registry_add(r, MHO_KIND_DEVICE, &root_step.entry, &why);
  if (!err)
    err = mho_experiment_of_yaml(r, NULL, MHO_COUNT(set), set, &e, &why);
  if (!err)
    err = mho_train(NULL, e, &o, &result, &why);

  if (err)
    fprintf(stderr, "%s: %s\n", mho_err_text(err), why.message);
  else
    printf("%s: test accuracy %.3f after %d epochs\n", root_step.entry.id, result.final_test_acc,
           result.epochs);
  mho_experiment_free(e);
  mho_registry_free(r);
  return err != MHO_OK;
}
