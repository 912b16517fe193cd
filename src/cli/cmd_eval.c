/* cmd_eval.c - mho eval: accuracy or rms of a stored network, as it was or under other
 * conditions.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "mho/train.h"

enum { TIMES = 64, DRAWS = 1000 };

typedef struct options {
  common_options common;
  const char *part, *checkpoint;
  int n_times;
  double time[TIMES];   /**< s after programming; time[0] is at once */
  char name[TIMES][32]; /**< the same as they were written */
  int draws;
} options;

enum { KEY_PART = OPTION_VERB, KEY_CHECKPOINT, KEY_AFTER, KEY_DRAWS };
static const struct argp_option option_table[] = {
    OPT_DB,
    OPT_SET,
    OPT_STRICT,
    {"part", KEY_PART, "test|train|validation", 0, "test (default), train or validation", 0},
    {"checkpoint", KEY_CHECKPOINT, "last|best", 0, "last (default) or best", 0},
    {"after", KEY_AFTER, "TIMES", 0, "also a time after programming, or several: 1h,1d,1mo", 0},
    {"draws", KEY_DRAWS, "N", 0,
     "draws of the noise of reads; mean and standard deviation (default 1)", 0},
    OPT_THREADS,
    OPT_JSON,
    {0}};

/* One of --after. */
static void take_time(options *o, const char *text, struct argp_state *state) {
  mho_errinfo ei;
  double *time = &o->time[o->n_times];

  if (o->n_times == TIMES)
    argp_error(state, "--after: more than %d times", TIMES - 1);
  if (mho_quantity_parse(text, "s", false, time, &ei))
    argp_error(state, "--after: %s (s, min, h, d, mo, y)", ei.message);
  if (!(*time >= 0))
    argp_error(state, "--after: '%s' lies before programming", text);
  snprintf(o->name[o->n_times], sizeof *o->name, "%s", text);
  o->n_times++;
}

/* "1h,1d": times behind time[0]. */
static void take_times(options *o, const char *text, struct argp_state *state) {
  char copy[1024], *save = NULL;
  if (strlen(text) >= sizeof copy)
    argp_error(state, "--after: the list is too long");
  snprintf(copy, sizeof copy, "%s", text);

  o->n_times = 1;
  for (char *t = strtok_r(copy, ",", &save); t; t = strtok_r(NULL, ",", &save))
    take_time(o, t + strspn(t, " "), state);
  if (o->n_times == 1)
    argp_error(state, "--after: expected times, for example 1h,1d,1mo");
}

static error_t parse(int key, char *arg, struct argp_state *state) {
  static const char *const image_sets[] = {"test", "train", "validation"};
  static const char *const checkpoints[] = {"last", "best"};
  options *o = state->input;

  switch (key) {
  case KEY_PART:
    o->part = option_choice(state, "part", arg, MHO_COUNT(image_sets), image_sets);
    return 0;
  case KEY_CHECKPOINT:
    o->checkpoint = option_choice(state, "checkpoint", arg, MHO_COUNT(checkpoints), checkpoints);
    return 0;
  case KEY_AFTER:
    take_times(o, arg, state);
    return 0;
  case KEY_DRAWS:
    o->draws = (int)option_number(state, "draws", arg, 1, DRAWS);
    return 0;
  default:
    return common_option(&o->common, key, arg, state);
  }
}

VERB_ARGP("RUN",
          "Accuracy of a stored network, as trained or under other conditions.\v"
          "Examples:\n"
          "  mho eval last\n"
          "  mho eval last --set array.read_noise=0.02\n"
          "  mho eval last --after 1h,1d,1mo --draws 5 --set device.drift.law=pcm\n\n"
          "--after lets conductances drift by the law of the device (device.drift), and reads by "
          "array.model periphery show its noise at that time.");

/* ---------------------------------------------------------------- evaluation */

static const mho_images *images_of(const mho_dataset *d, const char *part) {
  if (!strcmp(part, "train"))
    return &d->train;
  return !strcmp(part, "validation") ? &d->validation : &d->test;
}

/* What is evaluated at a time: sums over the draws. */
typedef struct result {
  mho_evaluation last;
  double sum, squares; /**< of the accuracy, or of the rms of values */
  double loss;
} result;

/* Whether targets are values, which have an rms and no accuracy. */
static bool has_values(const result *r) {
  return isfinite(r->last.rms);
}

/* The network of the checkpoint, under the seeds of a draw: 0 has those of the run. */
static mho_err load_draw(const options *o, environment *s, mho_store *store, const char *id,
                         const mho_checkpoint_row *c, int k, mho_experiment **e, mho_trainer **t,
                         mho_errinfo *ei) {
  char seed[48];
  const char *set[MAX_SET + 1];
  int n = o->common.n_set;
  memcpy(set, o->common.set, (size_t)n * sizeof *set);
  snprintf(seed, sizeof seed, "train.seeds.noise=%d", k);
  if (k > 0)
    set[n++] = seed;

  mho_err err = mho_train_stored_experiment(store, s->registry, id, n, set, e, ei);
  if (!err && k == 0)
    err = name_idle_sets(*e, USE_EVALUATION, n, set, o->common.strict, ei);
  if (!err && k == 0 && o->n_times > 1)
    note_no_drift(*e);
  if (!err)
    err = mho_trainer_new(&s->ctx, *e, t, ei);
  if (!err)
    err = mho_trainer_load(*t, &c->blob, ei);
  return err;
}

/* A loaded draw at every time, added to its results. */
static mho_err evaluate_draw(const options *o, mho_trainer *t, const char *id, result *r,
                             mho_errinfo *ei) {
  const mho_images *images = images_of(mho_trainer_dataset(t), o->part);
  if (!images->n)
    return mho_fail(ei, MHO_EINVAL,
                    "run %s has no %s images: it was trained with dataset.validation 0", id,
                    o->part);

  for (int i = 0; i < o->n_times; i++) {
    mho_err err = mho_trainer_age(t, o->time[i], ei);
    if (!err)
      err = mho_trainer_evaluate(t, images, &r[i].last, ei);
    if (err)
      return err;

    double score = has_values(&r[i]) ? r[i].last.rms : r[i].last.accuracy;
    r[i].sum += score;
    r[i].squares += score * score;
    r[i].loss += r[i].last.loss;
  }
  return MHO_OK;
}

static mho_err evaluate(const options *o, environment *s, result *r, char *id, int *epoch,
                        mho_errinfo *ei) {
  mho_store *store = NULL;
  mho_checkpoint_row c = {0};

  mho_err err = open_database(&o->common, MHO_STORE_READ, &store, ei);
  if (!err)
    err = mho_store_find(store, o->common.run, id, ei);
  if (!err)
    err = mho_store_checkpoint_get(store, id, o->checkpoint, &c, ei);

  for (int k = 0; k < o->draws; k++) {
    if (!err && mho_stopped(&s->ctx))
      err = mho_fail(ei, MHO_EINTERRUPTED, "interrupted after %d of %d draws", k, o->draws);
    mho_experiment *e = NULL;
    mho_trainer *t = NULL;
    if (!err)
      err = load_draw(o, s, store, id, &c, k, &e, &t, ei);
    if (!err)
      err = evaluate_draw(o, t, id, r, ei);
    mho_trainer_free(t);
    mho_experiment_free(e);
  }

  *epoch = c.epoch;
  mho_blob_free(&c.blob);
  mho_store_close(store);
  return err;
}

/* ---------------------------------------------------------------- output */

/* Of the accuracy or the rms over the draws. */
static double deviation(const options *o, const result *r) {
  return deviation_of(o->draws, r->sum, r->squares);
}

/* The mean accuracy, or rms and no accuracy. */
static void add_score(json_t *j, const options *o, const result *r) {
  double mean = r->sum / o->draws;
  json_object_set_new(j, "accuracy", has_values(r) ? json_null() : json_real(mean));
  if (has_values(r))
    json_object_set_new(j, "rms", json_real(mean));
}

/* What the results at the times after programming are; NULL where none were asked for. */
static json_t *times_json(const options *o, const result *r) {
  if (o->n_times == 1)
    return NULL;

  json_t *after = json_array();
  for (int i = 1; i < o->n_times; i++) {
    json_t *t = json_pack("{ss sf sf}", "after", o->name[i], "after_s", o->time[i], "loss",
                          r[i].loss / o->draws);
    add_score(t, o, &r[i]);
    if (o->draws > 1)
      json_object_set_new(t, "std", json_real(deviation(o, &r[i])));
    json_array_append_new(after, t);
  }
  return after;
}

static void print_json(const options *o, const result *r, const char *id, int epoch) {
  const mho_evaluation *v = &r->last;
  json_t *j =
      json_pack("{ss ss ss si}", "event", "eval", "run", id, "part", o->part, "epoch", epoch);
  add_score(j, o, r);

  json_object_set_new(j, "loss", json_real(r->loss / o->draws));
  json_object_set_new(j, "settle_steps", json_real(v->settle_steps));
  json_object_set_new(j, "unsettled", json_integer((json_int_t)v->unsettled));
  json_object_set_new(j, "seconds", json_real(v->seconds));

  if (isfinite(v->time_s))
    json_object_set_new(j, "time_s", json_real(v->time_s));
  if (o->draws > 1) {
    json_object_set_new(j, "std", json_real(deviation(o, r)));
    json_object_set_new(j, "draws", json_integer(o->draws));
  }

  json_t *after = times_json(o, r);
  if (after)
    json_object_set_new(j, "after", after);
  print_json_line(j, JSON_DIGITS);
}

/* One evaluation, in a sentence. */
static void print_sentence(const options *o, const mho_evaluation *v, const char *id,
                           const char *when) {
  char score[48];
  if (isfinite(v->rms))
    snprintf(score, sizeof score, "rms %.4g", v->rms);
  else
    snprintf(score, sizeof score, "accuracy %.2f %%", 100 * v->accuracy);
  printf("run %s %s: %s %s, loss %.4f, %.1f steps, %lld unsettled", id, when, o->part, score,
         v->loss, v->settle_steps, (long long)v->unsettled);
  if (isfinite(v->time_s))
    printf(", settled in %.3g s", v->time_s);
  putchar('\n');
}

static void print_text(const options *o, const result *r, const char *id, int epoch) {
  char when[32] = "as programmed";
  if (epoch > 0)
    snprintf(when, sizeof when, "after epoch %d", epoch);
  if (o->n_times == 1 && o->draws == 1) {
    print_sentence(o, &r->last, id, when);
    return;
  }

  bool values = has_values(r);
  printf("run %s %s, %s %s, %d draw%s of the noise\n%10s %8s %8s %8s\n", id, when, o->part,
         values ? "rms" : "accuracy", o->draws, o->draws > 1 ? "s" : "", "after",
         values ? "rms" : "%", values ? "std" : "std %", "loss");
  for (int i = 0; i < o->n_times; i++) {
    char score[16], std[16] = "-";
    snprintf(score, sizeof score, values ? "%.4g" : "%.2f",
             (values ? 1 : 100) * r[i].sum / o->draws);
    if (o->draws > 1)
      snprintf(std, sizeof std, values ? "%.2g" : "%.2f", (values ? 1 : 100) * deviation(o, &r[i]));
    printf("%10s %8s %8s %8.4f\n", o->name[i], score, std, r[i].loss / o->draws);
  }
}

static int run(int argc, char **argv) {
  options o = {.common.verb = "evaluate",
               .part = "test",
               .checkpoint = "last",
               .n_times = 1,
               .draws = 1,
               .name = {"0"}};
  parse_options(&argp, argc, argv, &o);

  environment s;
  mho_errinfo ei = {0};
  result r[TIMES] = {{.sum = 0}};
  char id[MHO_ID_MAX];
  int epoch = 0;
  mho_err err = environment_open(&s, o.common.threads, &ei);
  environment_keeps_nothing();
  if (!err)
    err = evaluate(&o, &s, r, id, &epoch, &ei);
  if (!err && o.common.json)
    print_json(&o, r, id, epoch);
  else if (!err)
    print_text(&o, r, id, epoch);

  environment_close(&s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_eval = {"eval", "accuracy of a stored network, also under other conditions", &argp,
                        run};
