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

/* ---------------------------------------------------------------- in an evaluation */

/* Keys, or beginnings of them, that act while a network learns and in no evaluation. */
static const char *const learning[] = {
    "update.",
    "checkpoint.",
    "program.",
    "energy.",
    "observe.",
    "train.epochs",
    "train.batch",
    "train.shuffle",
    "train.from",
    "train.seeds.order",
    "dataset.crop",
    "dataset.flip",
    "rule.",
    "settle.nudged",
    "settle.read_nudged",
    "settle.nudge_shape",
    "settle.nudge_time",
    "settle.nudge_course",
    "settle.difference",
};

/* Whether a key, or an assignment to it, is one of them; of rules the name says how a network
 * predicts. */
static bool is_of_learning(const char *assignment) {
  if (!strncmp(assignment, "rule.name", strlen("rule.name")))
    return false;
  for (int i = 0; i < MHO_COUNT(learning); i++)
    if (!strncmp(assignment, learning[i], strlen(learning[i])))
      return true;
  return false;
}

/* What is not named yet, because it acts nowhere. */
static void add_other(void *user, const mho_idle_key *k) {
  if (!is_of_learning(k->key))
    add_key(user, k);
}

mho_err name_idle_sets(const mho_experiment *e, int n, const char *const *set, bool strict,
                       mho_errinfo *ei) {
  idle_line line = {.n = 0};
  mho_config *c = NULL;
  mho_err err = mho_config_load(NULL, n, set, &c, ei);

  for (int i = 0; i < n; i++) {
    if (err || !is_of_learning(set[i]))
      continue;
    mho_idle_key key = {.why = "it acts while a network learns"};
    snprintf(key.key, sizeof key.key, "%.*s", (int)strcspn(set[i], "="), set[i]);
    if (strict)
      err = mho_fail(ei, MHO_ECONFIG, "--set %s: %s has no effect: %s", set[i], key.key, key.why);
    add_key(&line, &key);
  }
  if (!err && strict)
    err = mho_experiment_strict(e, c, ei);
  if (!err)
    err = mho_experiment_idle(e, c, add_other, &line, ei);
  if (!err)
    print_line(&line);

  mho_config_free(c);
  return err;
}
