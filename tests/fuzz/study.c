/* study.c - study files: axes, designs, seeds.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/study.h"
#include "fuzz.h"

/* What is printed of a study is that study. */
static void check_printed(const mho_study *s) {
  mho_errinfo ei = {0};
  mho_study *t = NULL;
  char *yaml = mho_study_yaml(s);
  must(yaml, "no memory");

  mho_err err = mho_study_text(registry_of_all(), yaml, "printed.yaml", 0, NULL, &t, &ei);
  must(!err, ei.message);
  char *again = mho_study_yaml(t);
  must(again, "no memory");
  must(!strcmp(yaml, again), "a printed study is another study");

  free(again);
  mho_study_free(t);
  free(yaml);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  mho_study *s = NULL;
  char *text = text_of(data, size);

  mho_err err = mho_study_text(registry_of_all(), text, "fuzz.yaml", 0, NULL, &s, &ei);
  check_error(err, &ei);
  if (!err) {
    must(mho_text_is_plain(mho_study_name(s)), "a name with control characters is taken");
    check_printed(s);
  }

  mho_study_free(s);
  free(text);
  return 0;
}
