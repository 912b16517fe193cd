/* config.c - configs: YAML, keys, values, what must fit together; what is taken prints as a config
 * that is taken again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"

static mho_err load(const char *text, mho_experiment **out, mho_errinfo *ei) {
  mho_config *c = NULL;
  *out = NULL;
  mho_err err = mho_config_new(&c, ei);
  if (!err)
    err = mho_config_text(c, text, "fuzz", ei);
  if (!err)
    err = mho_experiment_new(registry_of_all(), c, false, out, ei);
  mho_config_free(c);
  return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  mho_experiment *e, *again;
  char *text = text_of(data, size);

  mho_err err = load(text, &e, &ei);
  check_error(err, &ei);
  if (!err) {
    char *yaml = mho_experiment_yaml(e, false);
    must(yaml, "no memory");
    must(!load(yaml, &again, &ei), "a printed config is refused");
    free(yaml);
    mho_experiment_free(again);
  }

  mho_experiment_free(e);
  free(text);
  return 0;
}
