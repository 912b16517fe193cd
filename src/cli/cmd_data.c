/* cmd_data.c - mho data: datasets, where they are, and fetching them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

typedef struct options {
  common_options common;
  const char *folder;
} options;

enum { KEY_FOLDER = OPTION_VERB };
static const struct argp_option option_table[] = {
    {"to", KEY_FOLDER, "FOLDER", 0, "where to put the files (default ~/.cache/mho/NAME)", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_FOLDER:
    o->folder = arg;
    return 0;
  case ARGP_KEY_END:
    if (!o->common.word[0] ||
        (strcmp(o->common.word[0], "list") && strcmp(o->common.word[0], "fetch")))
      argp_error(state, "say what: list, or fetch NAME");
    if (!strcmp(o->common.word[0], "fetch") && !o->common.word[1])
      argp_error(state, "fetch which dataset? 'mho data list' names them");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "list\nfetch NAME",
    "Datasets: what there is and where it lies; fetch one from where the public finds it, with its "
    "checksum.\v"
    "A dataset is looked for in the config's dataset.path, in $MHO_DATA/NAME, and in ~/.cache/mho/NAME.\n\n"
    "Examples:\n  mho data list\n  mho data fetch mnist",
    NULL,
    NULL,
    NULL};

static void list_datasets(const mho_registry *r) {
  table *t = table_new(3, (const char *[]){"DATASET", "WHERE", "WHAT IT IS"});
  for (int i = 0; i < mho_registry_count(r, MHO_KIND_DATASET); i++) {
    const mho_dataset_kind *k = (const mho_dataset_kind *)mho_registry_at(r, MHO_KIND_DATASET, i);
    char folder[MHO_TEXT_MAX] = "";
    if (k->files)
      mho_dataset_locate(k, "", folder, sizeof folder);
    const char *where = !k->files ? "embedded" : *folder ? folder : "not here";
    table_row(t, (const char *[]){k->entry.id, where, k->entry.title});
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
    list_datasets(s.registry);
  } else if (!err) {
    const mho_entry *e = mho_registry_find(s.registry, MHO_KIND_DATASET, o.common.word[1]);
    err = e ? mho_dataset_fetch(&s.ctx, (const mho_dataset_kind *)e, o.folder, &ei)
            : mho_fail(&ei, MHO_ENOTFOUND, "there is no dataset '%s'; 'mho data list' names them",
                       o.common.word[1]);
    if (!err)
      printf("%s is complete and its checksums are right\n", o.common.word[1]);
  }
  session_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_data = {"data", "datasets: list, fetch", run};
