/* cmd_eval.c - mho eval: accuracy or rms of a stored network, as it was or under other
 * conditions.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
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

static mho_part part_of(const char *word) {
  if (!strcmp(word, "train"))
    return MHO_PART_TRAIN;
  return strcmp(word, "validation") ? MHO_PART_TEST : MHO_PART_VALIDATION;
}

/* Whether targets are values, which have an rms and no accuracy. */
static bool has_values(const mho_evaluated *r) {
  return isfinite(r->last.rms);
}

/* What is said before the first draw. */
static mho_err begin(void *user, const mho_experiment *e, mho_errinfo *ei) {
  const options *o = user;
  const common_options *c = &o->common;
  mho_err err = name_idle_sets(e, USE_EVALUATION, c->n_set, c->set, c->strict, ei);
  if (!err && o->n_times > 1)
    note_no_drift(e);
  return err;
}

static mho_err evaluate(options *o, environment *s, mho_evaluated *r, char *id, int *epoch,
                        mho_errinfo *ei) {
  mho_store *store = NULL;
  mho_evaluate_options how = {.checkpoint = o->checkpoint,
                              .part = part_of(o->part),
                              .n_times = o->n_times,
                              .time = o->time,
                              .draws = o->draws,
                              .n_set = o->common.n_set,
                              .set = o->common.set,
                              .begin = begin,
                              .user = o};

  mho_err err = open_database(&o->common, MHO_STORE_READ, &store, ei);
  if (!err)
    err = mho_store_find(store, o->common.run, id, ei);
  if (!err)
    err = mho_evaluate(&s->ctx, s->registry, store, id, &how, r, epoch, ei);

  mho_store_close(store);
  return err;
}

/* ---------------------------------------------------------------- output */

/* The mean accuracy, or rms and no accuracy. */
static void add_score(json_t *j, const mho_evaluated *r) {
  json_object_set_new(j, "accuracy", has_values(r) ? json_null() : json_real(r->score));
  if (has_values(r))
    json_object_set_new(j, "rms", json_real(r->score));
}

/* What the results at the times after programming are; NULL where none were asked for. */
static json_t *times_json(const options *o, const mho_evaluated *r) {
  if (o->n_times == 1)
    return NULL;

  json_t *after = json_array();
  for (int i = 1; i < o->n_times; i++) {
    json_t *t =
        json_pack("{ss sf sf}", "after", o->name[i], "after_s", o->time[i], "loss", r[i].loss);
    add_score(t, &r[i]);
    if (o->draws > 1)
      json_object_set_new(t, "std", json_real(r[i].deviation));
    json_array_append_new(after, t);
  }
  return after;
}

static void print_json(const options *o, const mho_evaluated *r, const char *id, int epoch) {
  const mho_evaluation *v = &r->last;
  json_t *j =
      json_pack("{ss ss ss si}", "event", "eval", "run", id, "part", o->part, "epoch", epoch);
  add_score(j, r);

  json_object_set_new(j, "loss", json_real(r->loss));
  json_object_set_new(j, "settle_steps", json_real(v->settle_steps));
  json_object_set_new(j, "unsettled", json_integer((json_int_t)v->unsettled));
  json_object_set_new(j, "seconds", json_real(v->seconds));

  if (isfinite(v->time_s))
    json_object_set_new(j, "time_s", json_real(v->time_s));
  if (isfinite(v->kirchhoff)) {
    json_object_set_new(j, "kirchhoff", json_real(v->kirchhoff));
    json_object_set_new(j, "dissipated", json_real(v->dissipated));
    json_object_set_new(j, "supplied", json_real(v->supplied));
  }
  if (o->draws > 1) {
    json_object_set_new(j, "std", json_real(r->deviation));
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
  if (isfinite(v->kirchhoff))
    printf(", current left %.2g, power %.6g dissipated of %.6g", v->kirchhoff, v->dissipated,
           v->supplied);
  putchar('\n');
}

static void print_text(const options *o, const mho_evaluated *r, const char *id, int epoch) {
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
    snprintf(score, sizeof score, values ? "%.4g" : "%.2f", (values ? 1 : 100) * r[i].score);
    if (o->draws > 1)
      snprintf(std, sizeof std, values ? "%.2g" : "%.2f", (values ? 1 : 100) * r[i].deviation);
    printf("%10s %8s %8s %8.4f\n", o->name[i], score, std, r[i].loss);
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
  mho_evaluated r[TIMES] = {{.score = 0}};
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
