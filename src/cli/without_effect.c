/* without_effect.c - what is said of keys that have no effect.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { NAMED = 8 }; /* keys that are named at most */

/* A line that grows: "device.levels, device.open: there are no devices; ...". */
typedef struct idle_line {
  char text[4096], why[256];
  int n;
} idle_line;

static void add_key(void *user, const mho_idle_key *k) {
  idle_line *line = user;
  bool same = !strcmp(line->why, k->why);
  line->n++;
  if (line->n > NAMED)
    return;

  if (line->n > 1 && same)
    mho_text_append(line->text, sizeof line->text, ", ");
  else if (line->n > 1)
    mho_text_append(line->text, sizeof line->text, ": %s; ", line->why);
  mho_text_append(line->text, sizeof line->text, "%s", k->key);
  snprintf(line->why, sizeof line->why, "%s", k->why);
}

void name_idle_of_plan(const mho_plan *p) {
  for (int i = 0; i < mho_min(p->n_idle, NAMED); i++) {
    const mho_plan_idle *k = &p->idle[i];
    fprintf(stderr, "mho: no effect in %d of %d runs: %s: %s\n", k->runs, p->n + p->repeated,
            k->key, k->why);
  }
  if (p->n_idle > NAMED)
    fprintf(stderr, "mho: and %d keys more have no effect in some\n", p->n_idle - NAMED);
}

static void print_line(const idle_line *line) {
  if (line->n == 0)
    return;
  fprintf(stderr, "mho: no effect: %s: %s", line->text, line->why);
  if (line->n > NAMED)
    fprintf(stderr, "; and %d more", line->n - NAMED);
  fputc('\n', stderr);
}

mho_err name_idle(const mho_experiment *e, const mho_config *c, bool strict, mho_errinfo *ei) {
  idle_line line = {.n = 0};
  if (strict)
    return mho_experiment_strict(e, c, ei);
  mho_err err = mho_experiment_idle(e, c, add_key, &line, ei);
  if (!err)
    print_line(&line);
  return err;
}

/* ---------------------------------------------------------------- of what --set changes */

/* Verbs in which keys have no effect that act elsewhere. */
enum {
  E = 1 << USE_EVALUATION,
  P = 1 << USE_PROGRAM,
  X = 1 << USE_EXACT_PROGRAM,
  S = 1 << USE_PHASES,
  C = 1 << USE_CURVE,
  W = 1 << USE_WAVES,
  ANY = E | P | X | S
};

/* Keys, or beginnings of them, that have no effect in some verbs, and why. */
static const struct {
  const char *head;
  int uses;
  const char *why;
} elsewhere[] = {
#define LEARNING "it acts while a network learns"
#define CELLS    "here are cells alone, right after each pulse"
#define MEAN     "here is a device without spread, noise and faults"
    {"update.", E | S | X, LEARNING},
    {"checkpoint.", ANY, LEARNING},
    {"program.", E | S, LEARNING},
    {"energy.", ANY, LEARNING},
    {"observe.", ANY, LEARNING},
    {"train.epochs", ANY, LEARNING},
    {"train.batch", ANY, LEARNING},
    {"train.shuffle", ANY, LEARNING},
    {"train.from", E, LEARNING},
    {"train.from", P | X, "the weights are those that this verb was given"},
    {"train.seeds.order", ANY, LEARNING},
    {"dataset.crop", ANY, LEARNING},
    {"dataset.flip", ANY, LEARNING},
    {"rule.", E | P | X, LEARNING},
    {"settle.nudged", E | P | X, LEARNING},
    {"settle.read_nudged", E | P | X, LEARNING},
    {"settle.nudge_shape", E | P | X, LEARNING},
    {"settle.nudge_time", E | P | X, LEARNING},
    {"settle.nudge_course", E | P | X, LEARNING},
    {"settle.difference", ANY, LEARNING},
    {"device.mapping", C | W, CELLS},
    {"device.weight_range", C | W, CELLS},
    {"device.zero_shift", C | W, CELLS},
    {"device.zero_error", C | W, CELLS},
    {"device.refresh", C | W, CELLS},
    {"device.write_error", C | W, CELLS},
    {"device.leak", C | W, CELLS},
    {"device.weak_pulse", C, CELLS},
    {"device.pulse", C, CELLS},
    {"device.drift", C | W, CELLS},
    {"device.read_noise", C | W, CELLS},
    {"device.iv", C | W, CELLS},
    {"device.levels", W, MEAN},
    {"device.write_noise", W, MEAN},
    {"device.stuck_on", W, MEAN},
    {"device.stuck_off", W, MEAN},
    {"device.stuck", W, MEAN},
    {"device.open", W, MEAN},
    {"device.variation", W, MEAN},
    {"device.endurance", W, MEAN},
    {"device.cycle_to_cycle", W, MEAN},
    {"device.pulse_noise", W, MEAN},
    {"device.noise_add", W, MEAN},
};

/* Whether a key, or an assignment to it, is one of those that a head names: "device.pulse" is and
 * has in it "device.pulse.width", but not "device.pulse_noise". */
static bool is_under(const char *assignment, const char *head) {
  size_t n = strlen(head);
  if (strncmp(assignment, head, n))
    return false;
  return head[n - 1] == '.' || !assignment[n] || strchr(".=", assignment[n]);
}

/* Keys among them that act all the same: of rules the name says how a network predicts, the scheme
 * how its weights are written. */
static bool is_heard(const char *assignment, idle_use use) {
  static const char *const everywhere = "rule.name", *const programs = "update.scheme";
  if (use == USE_EXACT_PROGRAM && !strncmp(assignment, programs, strlen(programs)))
    return true;
  return use < USE_CURVE && !strncmp(assignment, everywhere, strlen(everywhere));
}

/* Why a key, or an assignment to it, has no effect in a verb; NULL where that is not known of its
 * name alone. */
static const char *idle_in(const char *assignment, idle_use use) {
  bool alone = use == USE_CURVE || use == USE_WAVES || use == USE_FIT;
  if (alone && strncmp(assignment, "device", strlen("device")))
    return "it is no key of a device, and here is one alone";
  if (is_heard(assignment, use))
    return NULL;
  for (int i = 0; i < MHO_COUNT(elsewhere); i++)
    if (elsewhere[i].uses >> use & 1 && is_under(assignment, elsewhere[i].head))
      return elsewhere[i].why;
  return NULL;
}

/* Keys that act nowhere, but for those that are named already. */
typedef struct others {
  idle_line *line;
  idle_use use;
} others;

static void add_other(void *user, const mho_idle_key *k) {
  const others *o = user;
  if (!idle_in(k->key, o->use))
    add_key(o->line, k);
}

mho_err name_idle_sets(const mho_experiment *e, idle_use use, int n, const char *const *set,
                       bool strict, mho_errinfo *ei) {
  idle_line line = {.n = 0};
  others o = {&line, use};
  mho_config *c = NULL;
  mho_err err = mho_config_load(NULL, n, set, &c, ei);

  for (int i = 0; i < n; i++) {
    const char *why = err ? NULL : idle_in(set[i], use);
    if (!why)
      continue;
    mho_idle_key key = {.why = why};
    snprintf(key.key, sizeof key.key, "%.*s", (int)strcspn(set[i], "="), set[i]);
    if (strict)
      err = mho_fail(ei, MHO_ECONFIG, "--set %s: %s has no effect: %s", set[i], key.key, key.why);
    add_key(&line, &key);
  }
  if (!err && e && strict)
    err = mho_experiment_strict(e, c, ei);
  if (!err && e)
    err = mho_experiment_idle(e, c, add_other, &o, ei);
  if (!err)
    print_line(&line);

  mho_config_free(c);
  return err;
}
