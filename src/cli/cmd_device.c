/* cmd_device.c - mho device: device models and what they do.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

typedef struct options {
  common_options common;
} options;

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case ARGP_KEY_END:
    if (!o->common.word[0] || (strcmp(o->common.word[0], "list") && strcmp(o->common.word[0], "show")))
      argp_error(state, "say what: list, or show NAME");
    if (!strcmp(o->common.word[0], "show") && !o->common.word[1])
      argp_error(state, "show which device? 'mho device list' names them");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {NULL,
                                 parse,
                                 "list\nshow NAME",
                                 "Device models: how a conductance answers pulses.\v"
                                 "Examples:\n  mho device list\n  mho device show soft_bounds",
                                 NULL,
                                 NULL,
                                 NULL};

static void list_devices(const mho_registry *r) {
  table *t = table_new(3, (const char *[]){"DEVICE", "NOMINAL STEP", "WHAT IT IS"});
  for (int i = 0; i < mho_registry_count(r, MHO_KIND_DEVICE); i++) {
    const mho_device_model *m = (const mho_device_model *)mho_registry_at(r, MHO_KIND_DEVICE, i);
    mho_choice c = {.entry = &m->entry};
    mho_device_config config;
    mho_params_init(mho_device_params, &config);
    char step[64] = "any";
    mho_params_init(m->entry.params, c.params);
    if (m->pulse)
      snprintf(step, sizeof step, "%.3g of the range", mho_device_nominal_step(m, c.params, &config));
    table_row(t, (const char *[]){m->entry.id, step, m->entry.title});
  }
  table_print(t);
}

static int run(int argc, char **argv) {
  options o = {.common.max_words = 2};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  session s;
  mho_errinfo ei = {0};
  mho_err err = session_open(&s, -1, &ei);
  if (!err && !strcmp(o.common.word[0], "list")) {
    list_devices(s.registry);
  } else if (!err) {
    const mho_entry *e = mho_registry_find(s.registry, MHO_KIND_DEVICE, o.common.word[1]);
    if (e) {
      print_entry(e, "device");
      printf("\nof every device:\n");
      print_params("device", mho_device_params);
    } else {
      err = mho_fail(&ei, MHO_ENOTFOUND, "there is no device '%s'; 'mho device list' names them",
                     o.common.word[1]);
    }
  }
  session_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_device = {"device", "device models: list, show", run};
