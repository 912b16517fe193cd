/* cmd_eval.c - mho eval: accuracy of a stored network, as it was or under other conditions.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "mho/train.h"

typedef struct options {
  common_options common;
  const char *part, *checkpoint;
} options;

enum { KEY_PART = OPTION_VERB, KEY_CHECKPOINT };
static const struct argp_option option_table[] = {
    OPT_DB,
    OPT_SET,
    {"part", KEY_PART, "PART", 0, "test (default), train or validation", 0},
    {"checkpoint", KEY_CHECKPOINT, "KIND", 0, "last (default) or best", 0},
    OPT_THREADS,
    OPT_JSON,
    {0}};

static bool one_of(const char *word, const char *a, const char *b, const char *c) {
  return !strcmp(word, a) || !strcmp(word, b) || !strcmp(word, c);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  switch (key) {
  case KEY_PART:
    if (!one_of(arg, "test", "train", "validation"))
      argp_error(state, "--part: '%s' is not test, train or validation", arg);
    o->part = arg;
    return 0;
  case KEY_CHECKPOINT:
    if (!one_of(arg, "last", "best", "best"))
      argp_error(state, "--checkpoint: '%s' is not last or best", arg);
    o->checkpoint = arg;
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

static const struct argp argp = {option_table,
                                 parse,
                                 "RUN",
                                 "Accuracy of a stored network, as trained or under other conditions.\v"
                                 "Examples:\n  mho eval last\n  mho eval last --set array.read_noise=0.02",
                                 NULL,
                                 NULL,
                                 NULL};

static const mho_images *part_of(const mho_dataset *d, const char *part) {
  return !strcmp(part, "train") ? &d->train : !strcmp(part, "validation") ? &d->validation : &d->test;
}

static mho_err evaluate(const options *o, session *s, mho_evaluation *out, char *id, int *epoch,
                        mho_errinfo *ei) {
  mho_store *store = NULL;
  mho_experiment *e = NULL;
  mho_trainer *t = NULL;
  mho_checkpoint_row c = {0};
  mho_err err = mho_store_open(o->common.db ? o->common.db : DEFAULT_DB, MHO_STORE_READ, &store, ei);
  if (!err)
    err = mho_store_find(store, o->common.run, id, ei);
  if (!err)
    err = mho_train_stored_experiment(store, s->registry, id, o->common.n_set, o->common.set, &e, ei);
  if (!err)
    err = mho_store_checkpoint_get(store, id, o->checkpoint, &c, ei);
  if (!err)
    err = mho_trainer_new(&s->ctx, e, &t, ei);
  if (!err)
    err = mho_trainer_load(t, &c.blob, ei);
  if (!err && !part_of(mho_trainer_dataset(t), o->part)->n)
    err = mho_fail(ei, MHO_EINVAL, "run %s has no %s images: it was trained with dataset.validation 0", id,
                   o->part);
  if (!err)
    err = mho_trainer_evaluate(t, part_of(mho_trainer_dataset(t), o->part), out, ei);
  *epoch = c.epoch;
  mho_blob_free(&c.blob);
  mho_trainer_free(t);
  mho_experiment_free(e);
  mho_store_close(store);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.verb = "evaluate", .part = "test", .checkpoint = "last"};
  argp_parse(&argp, argc, argv, 0, NULL, &o);
  session s;
  mho_errinfo ei = {0};
  mho_evaluation v;
  char id[MHO_ID_MAX];
  int epoch = 0;
  mho_err err = session_open(&s, o.common.threads, &ei);
  if (!err)
    err = evaluate(&o, &s, &v, id, &epoch, &ei);
  if (!err && o.common.json) {
    json_t *j = json_pack("{ss ss ss si sf sf sf sI sf}", "event", "eval", "run", id, "part", o.part, "epoch",
                          epoch, "accuracy", v.accuracy, "loss", v.loss, "settle_steps", v.settle_steps,
                          "unsettled", (json_int_t)v.unsettled, "seconds", v.seconds);
    json_dumpf(j, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10));
    putchar('\n');
    json_decref(j);
  } else if (!err) {
    printf("run %s after epoch %d: %s accuracy %.2f %%, loss %.4f, %.1f steps, %lld unsettled\n", id, epoch,
           o.part, 100 * v.accuracy, v.loss, v.settle_steps, (long long)v.unsettled);
  }
  session_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_eval = {"eval", "accuracy of a stored network, also under other conditions", run};
