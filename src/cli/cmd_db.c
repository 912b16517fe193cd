/* cmd_db.c - mho db: care of run databases.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

enum { FILES_MAX = 4096 };
typedef struct options {
  common_options common;
  const char *what;
  const char *file[FILES_MAX];
  int n;
} options;

static const struct argp_option option_table[] = {OPT_DB, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case ARGP_KEY_ARG:
    if (!o->what) {
      o->what = arg;
      return 0;
    }
    if (o->n == FILES_MAX)
      argp_error(state, "more than %d files", FILES_MAX);
    o->file[o->n++] = arg;
    return 0;
  case ARGP_KEY_END:
    if (!o->what)
      argp_error(state, "what? check, vacuum, migrate, merge or schema");
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {
    option_table,
    parse,
    "check [FILE]\nvacuum [FILE]\nmigrate [FILE]\nmerge INTO FROM...\nschema",
    "Care of run databases.\v"
    "check    looks at every page, index and reference, and says what is wrong\n"
    "vacuum   gives back the room of what was deleted or replaced, and counts anew what is where\n"
    "migrate  brings a database of an older mho up to date (opening it for writing does so, too)\n"
    "merge    takes the runs of other databases into INTO; a run that is there already is not taken twice, "
    "so it may be "
    "repeated\n"
    "schema   prints the schema with the meaning of every column\n\n"
    "Example:\n  mho db merge results/runs.db shard-*.db",
    NULL,
    NULL,
    NULL};

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
  mho_store_close(err ? NULL : s);
  if (!err)
    printf("%s has schema %d\n", path, mho_store_schema_version());
  return err;
}

static mho_err merge(const options *o, mho_errinfo *ei) {
  mho_store *s;
  if (o->n < 2)
    return mho_fail(ei, MHO_EINVAL, "merge what? mho db merge INTO FROM...");
  for (int i = 1; i < o->n; i++) { /* before INTO is made */
    mho_err err = mho_store_open(o->file[i], MHO_STORE_READ, &s, ei);
    if (err)
      return err;
    mho_store_close(s);
  }
  return take_runs(o->file[0], mho_store_merge, o->n - 1, o->file + 1, ei);
}

static int run(int argc, char **argv) {
  static options o;
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  mho_errinfo ei = {0};
  const char *path = o.n ? o.file[0] : o.common.db ? o.common.db : DEFAULT_DB;
  mho_err err = MHO_OK;
  if (!strcmp(o.what, "merge"))
    err = merge(&o, &ei);
  else if (o.n > 1)
    err = mho_fail(&ei, MHO_EINVAL, "one FILE at a time, not also '%s'", o.file[1]);
  else if (!strcmp(o.what, "check"))
    err = check(path, &ei);
  else if (!strcmp(o.what, "vacuum"))
    err = vacuum(path, &ei);
  else if (!strcmp(o.what, "migrate"))
    err = migrate(path, &ei);
  else if (!strcmp(o.what, "schema"))
    fputs(mho_store_schema(), stdout);
  else
    err = mho_fail(&ei, MHO_EINVAL,
                   "mho db '%s' is unknown: check, vacuum, migrate, merge or schema", o.what);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_db = {"db", "check, vacuum, migrate or merge run databases", run};
