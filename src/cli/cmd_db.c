/* cmd_db.c - mho db: care of run databases.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const struct argp_option option_table[] = {OPT_DB, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  common_options *o = state->input;
  if (key == ARGP_KEY_END && !o->n_words)
    argp_error(state, "what? check, vacuum, migrate, merge or schema");
  return common_option(o, key, arg, state);
}

VERB_ARGP(
    "check [FILE]\nvacuum [FILE]\nmigrate [FILE]\nmerge INTO FROM...\nschema",
    "Care of run databases.\v"
    "check    looks at every page, index and reference, and says what is wrong\n"
    "vacuum   gives back the room of what was deleted or replaced, and counts anew what is "
    "where\n"
    "migrate  brings a database of an older mho up to date (opening it for writing does so, "
    "too)\n"
    "merge    takes the runs of other databases into INTO; a run that is there already is not "
    "taken twice, so it may be repeated\n"
    "schema   prints the schema with the meaning of every column\n\n"
    "Example:\n  mho db merge results/runs.db shard-*.db");

static mho_err check(const char *path, mho_errinfo *ei) {
  mho_store *s;
  mho_err err = mho_store_open(path, MHO_STORE_READ, &s, ei);
  if (err)
    return err;

  err = mho_store_check(s, ei);
  mho_store_close(s);
  if (!err)
    printf("%s is sound (schema %d)\n", path, mho_store_schema_version());
  return err;
}

/* For writing, and not made where there is none. */
static mho_err open_present(const char *path, mho_store **s, mho_errinfo *ei) {
  return mho_store_open(path, access(path, F_OK) ? MHO_STORE_READ : MHO_STORE_WRITE, s, ei);
}

static mho_err vacuum(const char *path, mho_errinfo *ei) {
  mho_store *s;
  int64_t before, after;
  mho_err err = open_present(path, &s, ei);
  if (err)
    return err;

  err = mho_store_vacuum(s, &before, &after, ei);
  mho_store_close(s);
  if (!err)
    printf("%s: %.2f MB, was %.2f MB\n", path, 1e-6 * (double)after, 1e-6 * (double)before);
  return err;
}

static mho_err migrate(const char *path, mho_errinfo *ei) {
  mho_store *s;
  mho_err err = open_present(path, &s, ei);
  if (err)
    return err;
  mho_store_close(s);
  printf("%s has schema %d\n", path, mho_store_schema_version());
  return MHO_OK;
}

static mho_err schema(const char *path, mho_errinfo *ei) {
  fputs(mho_store_schema(), stdout);
  return MHO_OK;
}

/* file: INTO and each FROM, [n]. Every FROM is looked at before INTO is made. */
static mho_err merge(int n, char *const *file, mho_errinfo *ei) {
  mho_store *s;
  if (n < 2)
    return mho_fail(ei, MHO_EINVAL, "merge what? mho db merge INTO FROM...");
  for (int i = 1; i < n; i++) {
    mho_err err = mho_store_open(file[i], MHO_STORE_READ, &s, ei);
    if (err)
      return err;
    mho_store_close(s);
  }
  return take_runs(file[0], mho_store_merge, n - 1, file + 1, ei);
}

static mho_err care(const common_options *o, mho_errinfo *ei) {
  static const struct {
    const char *word;
    mho_err (*run)(const char *path, mho_errinfo *ei);
  } all[] = {{"check", check}, {"vacuum", vacuum}, {"migrate", migrate}, {"schema", schema}};
  const char *what = o->word[0];
  int n = o->n_words - 1;
  char *const *file = o->word + 1;

  if (!strcmp(what, "merge"))
    return merge(n, file, ei);
  if (n > 1)
    return mho_fail(ei, MHO_EINVAL, "one FILE at a time, not also '%s'", file[1]);
  for (int i = 0; i < MHO_COUNT(all); i++)
    if (!strcmp(what, all[i].word))
      return all[i].run(n > 0 ? file[0] : database_path(o), ei);
  return mho_fail(ei, MHO_EINVAL, "mho db '%s' is unknown: check, vacuum, migrate, merge or schema",
                  what);
}

static int run(int argc, char **argv) {
  common_options o = {.max_words = INT_MAX};
  parse_options(&argp, argc, argv, &o);
  mho_errinfo ei = {0};
  mho_err err = care(&o, &ei);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_db = {"db", "check, vacuum, migrate or merge run databases", &argp, run};
