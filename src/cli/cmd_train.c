/* cmd_train.c - mho train: one run.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/version.h"
#include "mho/model/check.h"
#include "mho/model/num.h"
#include "mho/train.h"

typedef struct options {
  common_options common;
  const char *config, *name, *resume, *seed, *from;
  bool print_config, no_db;
} options;

enum { KEY_NAME = OPTION_VERB, KEY_SEED, KEY_RESUME, KEY_PRINT, KEY_NO_DB, KEY_FROM };

static const struct argp_option option_table[] = {
    OPT_SET,
    OPT_STRICT,
    OPT_DB,
    {"no-db", KEY_NO_DB, NULL, 0, "log nothing", 0},
    {"name", KEY_NAME, "NAME", 0, "name of the run", 0},
    {"seed", KEY_SEED, "N", 0, "short for --set train.seed=N", 0},
    {"from", KEY_FROM, "RUN|FOLDER", 0,
     "start from the weights of a stored run, or of a folder of mho export --weights, on any "
     "device; short for --set train.from=...",
     0},
    OPT_THREADS,
    OPT_JSON,
    {"resume", KEY_RESUME, "RUN", 0,
     "continue a stored run (id, name, id prefix, or last); takes no CONFIG", 0},
    {"print-config", KEY_PRINT, NULL, 0,
     "print the config with every default filled in, keys without effect marked, and train nothing",
     0},
    {0}};

static void check_options(const options *o, struct argp_state *state) {
  if (!o->resume)
    return;
  if (o->config || o->common.n_set || o->common.strict || o->seed || o->from)
    argp_error(state, "--resume goes on with the stored config: it takes no CONFIG, --set, "
                      "--strict, --seed or --from");
  if (o->no_db)
    argp_error(state, "--resume needs the run database: leave out --no-db");
  if (o->print_config)
    argp_error(state, "--resume goes on with the stored config: 'mho show %s --config' prints it",
               o->resume);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_NAME:
    o->name = arg;
    return 0;
  case KEY_SEED:
    (void)option_number(state, "seed", arg, 0, 9000000000000000);
    o->seed = arg;
    return 0;
  case KEY_RESUME:
    o->resume = arg;
    return 0;
  case KEY_FROM:
    o->from = arg;
    return 0;
  case KEY_PRINT:
    o->print_config = true;
    return 0;
  case KEY_NO_DB:
    o->no_db = true;
    return 0;

  case ARGP_KEY_ARG:
    if (o->config)
      argp_error(state, "one CONFIG, not also '%s'", arg);
    o->config = arg;
    return 0;
  case ARGP_KEY_END:
    check_options(o, state);
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP(
    "[CONFIG]",
    "Train a network as CONFIG (YAML) says; without one, the defaults on the embedded "
    "digits.\v"
    "Examples:\n"
    "  mho train --set device=soft_bounds --set update.scheme=accumulate "
    "--set update.optimizer=sgd --set update.rate=0.1\n"
    "  mho train mnist.yaml --name first --seed 3\n"
    "  mho train --from first --set device.card=pcm --name transferred\n"
    "  mho train --resume last\n\n"
    "Ctrl-C finishes the batch and saves; --resume goes on from there, bit for bit. Exit code "
    "0 done, 1 the run failed, 2 bad input, 130 interrupted.");

/* ---------------------------------------------------------------- output */

/* The number under a name, where there is one. */
static void add_known(json_t *o, const char *name, double v) {
  if (isfinite(v))
    json_object_set_new(o, name, json_real(v));
}

static void epoch_json(void *user, const char *run, const mho_epoch_row *r) {
  json_t *o = json_pack("{ss ss si so so so so sI so so so}", "event", "epoch", "run", run, "epoch",
                        r->epoch, "train_acc", number_or_null(r->train_acc), "test_acc",
                        number_or_null(r->test_acc), "loss", number_or_null(r->loss),
                        "settle_steps", number_or_null(r->settle_steps), "unsettled",
                        (json_int_t)r->unsettled, "pulses", json_integer((json_int_t)r->pulses),
                        "wall_s", number_or_null(r->wall_s), "eval_s", number_or_null(r->eval_s));

  add_known(o, "val_acc", r->val_acc);
  add_known(o, "test_loss", r->test_loss);
  add_known(o, "test_rms", r->test_rms);
  add_known(o, "val_loss", r->val_loss);
  add_known(o, "energy_j", r->energy_j);
  print_json_line(o, JSON_DIGITS);
}

/* An epoch of targets that are values. */
static void values_text(bool *header, const mho_epoch_row *r) {
  bool validation = isfinite(r->val_loss);
  char val[16] = "";
  if (!*header)
    printf("%6s %9s %9s %s%9s %7s %10s %8s %8s\n", "epoch", "loss", "test loss",
           validation ? " val loss " : "", "test rms", "steps", "unsettled", "pulses", "time s");
  *header = true;

  if (validation)
    snprintf(val, sizeof val, "%9.4g ", r->val_loss);
  printf("%6d %9.4g %9.4g %s%9.4g %7.1f %10lld %8.3g %8.2f\n", r->epoch, r->loss, r->test_loss, val,
         r->test_rms, r->settle_steps, (long long)r->unsettled, r->pulses, r->wall_s);
  fflush(stdout);
}

/* user: whether the head of the table has been printed. */
static void epoch_text(void *user, const char *run, const mho_epoch_row *r) {
  bool *header = user, validation = isfinite(r->val_acc);
  char val[16] = "";
  if (isfinite(r->test_loss)) {
    values_text(header, r);
    return;
  }

  if (!*header)
    printf("%6s %8s %8s %s%8s %7s %10s %8s %8s\n", "epoch", "train %", "test %",
           validation ? "   val % " : "", "loss", "steps", "unsettled", "pulses", "time s");
  *header = true;

  if (validation)
    snprintf(val, sizeof val, "%8.2f ", 100 * r->val_acc);
  printf("%6d %8.2f %8.2f %s%8.4f %7.1f %10lld %8.3g %8.2f\n", r->epoch, 100 * r->train_acc,
         100 * r->test_acc, val, r->loss, r->settle_steps, (long long)r->unsettled, r->pulses,
         r->wall_s);
  fflush(stdout);
}

static void done_json(const mho_train_result *r, const char *best_by) {
  json_t *o = json_pack("{ss ss ss so so so so si ss}", "event", "done", "run", r->run, "status",
                        r->status, "best_test_acc", number_or_null(r->best_test_acc),
                        "final_test_acc", number_or_null(r->final_test_acc), "train_acc",
                        number_or_null(r->train_acc), "wall_s", number_or_null(r->wall_s),
                        "best_epoch", r->best_epoch, "best_by", best_by);

  /* of targets that are values */
  if (r->epochs > 0) {
    add_known(o, "best_test_loss", r->best_test_loss);
    add_known(o, "final_test_loss", r->final_test_loss);
    add_known(o, "best_test_rms", r->best_test_rms);
    add_known(o, "final_test_rms", r->final_test_rms);
  }
  print_json_line(o, JSON_DIGITS);
}

static void done_text(const options *o, const mho_train_result *r, const char *best_by) {
  bool has_values = r->epochs > 0 && isfinite(r->final_test_rms);
  if (has_values)
    printf("%s: best test rms %.4g in epoch %d (best by %s loss), last %.4g, %.1f s\n", r->status,
           r->best_test_rms, r->best_epoch, best_by, r->final_test_rms, r->wall_s);
  else if (r->epochs > 0)
    printf(
        "%s: best test accuracy %.2f %% in epoch %d (best by %s accuracy), last %.2f %%, %.1f s\n",
        r->status, 100 * r->best_test_acc, r->best_epoch, best_by, 100 * r->final_test_acc,
        r->wall_s);
  if (o->no_db || !*r->run)
    return;

  if (!strcmp(r->status, "interrupted"))
    printf("saved; go on with: mho train --resume %s", r->run);
  else
    printf("run %s; see it with: mho show %s", r->run, r->run);
  end_command(&o->common);
}

/* ---------------------------------------------------------------- the verb */

/* --from as the config has it: the id of the run that has this name now, or the whole path of a
 * folder. */
static mho_err set_from(const options *o, mho_config *c, mho_errinfo *ei) {
  char id[MHO_ID_MAX] = "", path[MHO_TEXT_MAX];
  bool is_folder;
  mho_store *store = NULL;

  mho_err err = find_folder(o->from, "--from: ", path, &is_folder, ei);
  if (!err && is_folder)
    return mho_config_assign(c, "train.from", path, ei);

  if (!err)
    err = open_database(&o->common, MHO_STORE_READ, &store, ei);
  if (!err)
    err = mho_store_find(store, o->from, id, ei);
  if (!err)
    err = mho_config_assign(c, "train.from", id, ei);

  mho_store_close(store);
  return err;
}

/* The experiment of CONFIG and the options. */
static mho_err new_experiment(const options *o, const mho_registry *r, mho_experiment **out,
                              mho_errinfo *ei) {
  mho_config *c;
  char seed[64];

  mho_err err = mho_config_load(o->config, o->common.n_set, o->common.set, &c, ei);
  if (!err && o->seed) {
    snprintf(seed, sizeof seed, "train.seed=%s", o->seed);
    err = mho_config_set(c, seed, ei);
  }
  if (!err && o->from)
    err = set_from(o, c, ei);
  if (!err)
    err = mho_experiment_new(r, c, false, out, ei);
  if (!err)
    err = name_idle(*out, c, o->common.strict, ei);

  mho_config_free(c);
  return err;
}

static mho_err print_config(const options *o, const environment *s, mho_errinfo *ei) {
  mho_experiment *e = NULL;
  mho_err err = new_experiment(o, s->registry, &e, ei);
  if (err)
    return err;
  char *yaml = mho_experiment_yaml(e, false);
  mho_experiment_free(e);
  if (!yaml)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the config");
  fputs(yaml, stdout);

  free(yaml);
  return MHO_OK;
}

static mho_err train(const options *o, environment *s, mho_train_result *result, bool *validation,
                     mho_errinfo *ei) {
  mho_experiment *e = NULL;
  mho_store *store = NULL;
  char id[MHO_ID_MAX];
  bool header = false;
  mho_err err = o->name ? mho_name_check("--name:", o->name, ei) : MHO_OK;

  /* a config is checked before the database is made */
  if (!err && !o->resume)
    err = new_experiment(o, s->registry, &e, ei);
  if (!err && !o->no_db && !o->resume)
    err = open_database(&o->common, MHO_STORE_WRITE, &store, ei);
  if (!err && o->resume)
    err = open_stored(&o->common, MHO_STORE_WRITE, &store, ei);
  if (!err && o->resume)
    err = mho_store_find(store, o->resume, id, ei);
  if (!err)
    warn_slow_kernels(s);
  if (!err && o->resume)
    err = mho_train_stored_experiment(store, s->registry, id, 0, NULL, &e, ei);

  mho_train_options t = {.store = store,
                         .name = o->name,
                         .code_version = MHO_CODE_VERSION,
                         .epoch = o->common.json ? epoch_json : epoch_text,
                         .user = &header};
  if (!err) {
    *validation = e->dataset_config.validation > 0;
    err = o->resume ? mho_train_resume(&s->ctx, s->registry, id, &t, result, ei)
                    : mho_train(&s->ctx, e, &t, result, ei);
  }

  mho_experiment_free(e);
  mho_store_close(store);
  return err;
}

/* What became of the run, where one was begun. */
static void print_done(const options *o, const mho_train_result *r, bool validation) {
  const char *best_by = validation ? "validation" : "test";
  if (!*r->run && !r->epochs)
    return;
  if (o->common.json)
    done_json(r, best_by);
  else
    done_text(o, r, best_by);
}

static int run(int argc, char **argv) {
  options o = {0};
  parse_options(&argp, argc, argv, &o);

  environment s;
  mho_errinfo ei = {0};
  mho_train_result result = {0};
  bool validation = false;
  mho_err err = environment_open(&s, o.common.threads, &ei);
  if (!err && o.print_config)
    err = print_config(&o, &s, &ei);
  else if (!err)
    err = train(&o, &s, &result, &validation, &ei);
  print_done(&o, &result, validation);

  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_train = {"train", "train a network and log the run", &argp, run};
