/* cmd_report.c - mho report: a self-contained HTML page.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "mho/report.h"

static const struct argp_option option_table[] = {
    OPT_DB, OPT_OUT("where to write the page (default results/RUN.html)"), {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  return common_option(state->input, key, arg, state);
}

VERB_ARGP("RUN|STUDY",
          "Write one self-contained HTML page about a run or a study.\v"
          "A name that both a study and a run have means the study.\n\n"
          "Examples:\n  mho report last -o last.html\n  mho report noise -o noise.html");

/* A failure leaves an older page as it was. */
static mho_err write_page(const environment *s, mho_store *store, const char *kind, const char *id,
                          const char *path, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  out_file out = open_out(path, &err, ei);
  if (out.f)
    err = mho_report_write(mho_report_find(kind), store, id, out.f, &s->ctx, ei);
  if (err == MHO_EDISK && !*ei->file)
    snprintf(ei->file, sizeof ei->file, "%.500s", path);
  return close_out(&out, err, ei);
}

static mho_err report(const common_options *o, const environment *s, mho_errinfo *ei) {
  mho_store *store = NULL;
  char id[MHO_ID_MAX], study[MHO_STUDY_NAME_MAX], path[MHO_TEXT_MAX + 32];

  mho_err err = open_database(o, MHO_STORE_READ, &store, ei);
  if (err)
    return err;

  /* a name that both have means the study */
  bool is_study = !mho_store_study_find(store, o->run, study, NULL);
  if (!is_study)
    err = mho_store_find(store, o->run, id, ei);

  const char *name = is_study ? study : id;
  if (!err) {
    if (o->out) {
      snprintf(path, sizeof path, "%s", o->out);
    } else {
      mkdir("results", 0777); /* fopen says where that fails */
      snprintf(path, sizeof path, "results/%s.html", name);
    }
    err = write_page(s, store, is_study ? "study" : "run", name, path, ei);
  }
  if (!err)
    printf("wrote %s\n", path);

  mho_store_close(store);
  return err;
}

static int run(int argc, char **argv) {
  common_options o = {.verb = "report"};
  parse_options(&argp, argc, argv, &o);

  environment s;
  mho_errinfo ei = {0};
  mho_err err = environment_open(&s, -1, &ei);
  if (!err)
    err = report(&o, &s, &ei);

  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_report = {"report", "a self-contained HTML page about a run or a study", &argp,
                          run};
