/* cmd_data.c - mho data: datasets, where they are, and fetching them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "mho/model/dataset.h"

typedef struct options {
  common_options common;
  const char *folder;
} options;

enum { KEY_FOLDER = OPTION_VERB };
static const struct argp_option option_table[] = {
    {"to", KEY_FOLDER, "FOLDER", 0, "where to put the files (default ~/.cache/mho/NAME)", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  const char *what;

  switch (key) {
  case KEY_FOLDER:
    o->folder = arg;
    return 0;

  case ARGP_KEY_END:
    what = option_word(&o->common, 0);
    if (!what || (strcmp(what, "list") && strcmp(what, "fetch")))
      argp_error(state, "say what: list, or fetch NAME");
    if (!strcmp(what, "fetch") && !option_word(&o->common, 1))
      argp_error(state, "fetch which dataset? 'mho data list' names them");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP("list\nfetch NAME",
          "Datasets: what there is and where it lies; fetch one from where the public finds it, "
          "with its checksum.\v"
          "A dataset is looked for in the config's dataset.path, in $MHO_DATA/NAME, and in "
          "~/.cache/mho/NAME.\n\n"
          "Examples:\n  mho data list\n  mho data fetch mnist");

/* The folder that a dataset is in, or why there is none. */
static const char *place_of(const mho_dataset_kind *k, char *folder, size_t capacity) {
  if (k->takes_path)
    return "dataset.path";
  if (!k->files)
    return "embedded";
  mho_dataset_locate(k, "", folder, capacity);
  return *folder ? folder : "not here";
}

static void list_datasets(const mho_registry *r) {
  table *t = table_new(3, (const char *[]){"DATASET", "WHERE", "WHAT IT IS"});
  for (int i = 0; i < mho_registry_count(r, MHO_KIND_DATASET); i++) {
    const mho_dataset_kind *k = (const mho_dataset_kind *)mho_registry_at(r, MHO_KIND_DATASET, i);
    char folder[MHO_TEXT_MAX] = "";
    const char *place = place_of(k, folder, sizeof folder);
    table_row(t, (const char *[]){k->entry.id, place, k->entry.title});
  }
  table_print(t);
}

static mho_err fetch(const options *o, const environment *s, const char *name, mho_errinfo *ei) {
  const mho_entry *e = mho_registry_find(s->registry, MHO_KIND_DATASET, name);
  if (!e)
    return mho_fail(ei, MHO_ENOTFOUND, "there is no dataset '%s'; 'mho data list' names them",
                    name);
  mho_err err = mho_dataset_fetch(&s->ctx, (const mho_dataset_kind *)e, o->folder, ei);
  if (!err)
    printf("%s is complete and its checksums are right\n", name);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.max_words = 2};
  parse_options(&argp, argc, argv, &o);

  environment s;
  mho_errinfo ei = {0};
  mho_err err = environment_open(&s, -1, &ei);
  if (!err && !strcmp(o.common.word[0], "list"))
    list_datasets(s.registry);
  else if (!err)
    err = fetch(&o, &s, o.common.word[1], &ei);

  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_data = {"data", "datasets: list, fetch", &argp, run};
