/* chip_table.c - what `mho program` and `mho import` print of the chips that weights were written
 * onto.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/chip_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mho/model/check.h"

static void add_connections(chip_table *s, const mho_programmed *p) {
  if (!s->each) {
    s->each = calloc((size_t)p->n_connections, sizeof *s->each);
    s->n = s->each ? p->n_connections : 0;
  }

  for (int c = 0; c < s->n; c++) {
    const mho_program_connection *k = &p->connection[c];
    mho_program_connection *sum = &s->each[c];
    if (!sum->name)
      sum->name = strdup(k->name);
    sum->rows = k->rows;
    sum->cols = k->cols;
    sum->w_max = k->w_max;
    sum->rms += k->rms * k->rms;
    sum->clipped += k->clipped;
  }
}

static void add(chip_table *s, const mho_programmed *p) {
  s->chips++;
  double score = isfinite(p->rms) ? p->rms : p->accuracy;
  s->has_values = isfinite(p->rms);
  s->sum += score;
  s->squares += score * score;
  s->clipped += p->clipped;
  add_connections(s, p);
}

static json_t *connection_json(const mho_program_connection *k, double rms, double clipped) {
  return json_pack("{ss si si sf sf sf}", "name", k->name, "rows", k->rows, "cols", k->cols,
                   "w_max", k->w_max, "rms", rms, "clipped", clipped);
}

static void chip_json(const mho_programmed *p) {
  json_t *all = json_array();
  for (int c = 0; c < p->n_connections; c++) {
    const mho_program_connection *k = &p->connection[c];
    json_array_append_new(all, connection_json(k, k->rms, k->clipped));
  }
  json_t *o =
      json_pack("{ss si sI ss so sf sf sf so}", "event", "chip", "chip", p->chip, "seed",
                (json_int_t)p->seed, "run", p->run, "accuracy", number_or_null(p->accuracy), "loss",
                p->loss, "clipped", p->clipped, "pulses", p->pulses, "connections", all);
  if (isfinite(p->rms))
    json_object_set_new(o, "rms", json_real(p->rms));
  print_json_line(o, JSON_DIGITS);
}

/* An accuracy in percent, or an rms. */
static void score_text(const chip_table *s, double score, char *buf, size_t n) {
  snprintf(buf, n, s->has_values ? "%.4g" : "%.2f", s->has_values ? score : 100 * score);
}

/* The head of the table of chips: what is written onto what. */
static void print_head(const chip_table *s, const mho_experiment *e) {
  const char *card = e->device_config.card;
  int chips = s->wanted;

  printf("%s onto %s", s->from, e->device.entry->id);
  if (*card)
    printf(" (card %s)", card);
  printf(", %d chip%s, written ", chips, chips > 1 ? "s" : "");
  if (e->initial.how == MHO_INITIAL_SCHEME)
    printf("by %s\n", e->scheme.entry->id);
  else
    printf("exactly\n");
  printf("%6s %12s %8s %8s %10s %10s\n", "seed", "run", s->has_values ? "test rms" : "test %",
         "loss", "clipped %", "pulses");
}

static void chip_text(const chip_table *s, const mho_programmed *p, const mho_experiment *e) {
  if (s->chips == 1)
    print_head(s, e);
  char score[16];
  score_text(s, isfinite(p->rms) ? p->rms : p->accuracy, score, sizeof score);
  printf("%6lld %12s %8s %8.4f %10.2f %10.4g\n", (long long)p->seed, p->run, score, p->loss,
         100 * p->clipped, p->pulses);
  fflush(stdout);
}

mho_err chip_table_begin(void *user, const mho_experiment *e, mho_errinfo *ei) {
  const common_options *o = ((const chip_table *)user)->o;
  bool pulses = e->initial.how == MHO_INITIAL_SCHEME;
  return name_idle_sets(e, pulses ? USE_PROGRAM : USE_EXACT_PROGRAM, o->n_set, o->set, o->strict,
                        ei);
}

void chip_table_take(void *user, const mho_programmed *p, const mho_experiment *e) {
  chip_table *s = user;
  add(s, p);
  if (s->o->json)
    chip_json(p);
  else
    chip_text(s, p, e);
}

static void summary_json(const chip_table *s) {
  json_t *all = json_array();
  for (int c = 0; c < s->n; c++)
    json_array_append_new(all, connection_json(&s->each[c], sqrt(s->each[c].rms / s->chips),
                                               s->each[c].clipped / s->chips));
  double std = mho_deviation(s->chips, s->sum, s->squares);
  print_json_line(json_pack("{ss ss si sf so so sf so}", "event", "done", "from", s->from, "chips",
                            s->chips, "mean", s->sum / s->chips, "std", number_or_null(std),
                            "source", number_or_null(s->source), "clipped", s->clipped / s->chips,
                            "connections", all),
                  JSON_DIGITS);
}

/* What is written of each connection, mean over the chips. */
static void print_connections(const chip_table *s) {
  static const char *const names[] = {"connection",     "size",       "w_max",
                                      "rms error of w", "of w_max %", "clipped %"};
  table *t = table_new(MHO_COUNT(names), names);

  for (int i = 1; i < MHO_COUNT(names); i++)
    table_right(t, i);

  for (int c = 0; c < s->n; c++) {
    const mho_program_connection *k = &s->each[c];
    double rms = sqrt(k->rms / s->chips);
    char size[32], w_max[32], error[32], of_range[32], clipped[32];
    snprintf(size, sizeof size, "%d x %d", k->rows, k->cols);
    snprintf(w_max, sizeof w_max, "%.4g", k->w_max);
    snprintf(error, sizeof error, "%.3g", rms);
    snprintf(of_range, sizeof of_range, "%.3g", 100 * rms / k->w_max);
    snprintf(clipped, sizeof clipped, "%.2f", 100 * k->clipped / s->chips);
    table_row(t, (const char *const[]){k->name, size, w_max, error, of_range, clipped});
  }
  table_print(t);
}

static void summary_text(const chip_table *s) {
  const char *unit = s->has_values ? "" : " %";
  char mean[16], std[16], trained[16], spread[64], source[64] = "";
  score_text(s, s->sum / s->chips, mean, sizeof mean);
  score_text(s, mho_deviation(s->chips, s->sum, s->squares), std, sizeof std);
  score_text(s, s->source, trained, sizeof trained);

  snprintf(spread, sizeof spread, "%s", unit);
  if (s->chips > 1)
    snprintf(spread, sizeof spread, " +- %s%s over %d chips", std, unit, s->chips);
  if (isfinite(s->source))
    snprintf(source, sizeof source, " (%s%s where it was trained)", trained, unit);

  printf("test %s %s%s%s, clipped %.2f %% of the weights%s\n\n", s->has_values ? "rms" : "accuracy",
         mean, spread, source, 100 * s->clipped / s->chips,
         s->clipped > 0 ? ": raise device.weight_range" : "");
  print_connections(s);
}

static void free_connections(chip_table *s) {
  for (int c = 0; c < s->n; c++)
    free((char *)(uintptr_t)s->each[c].name);
  free(s->each);
}

void chip_table_end(chip_table *s) {
  if (s->chips && s->o->json)
    summary_json(s);
  else if (s->chips)
    summary_text(s);
  free_connections(s);
}
