/* cmd_show.c - mho show: one run in full.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "cli/cli.h"
#include "mho/train.h"

typedef struct options {
  common_options common;
  bool config;
} options;

enum { KEY_CONFIG = OPTION_VERB };
static const struct argp_option option_table[] = {
    OPT_DB,
    OPT_JSON,
    {"config", KEY_CONFIG, NULL, 0, "print its config as YAML, to train or change it again", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  options *o = state->input;
  if (key != KEY_CONFIG)
    return common_option(&o->common, key, arg, state);
  o->config = true;
  return 0;
}

VERB_ARGP("RUN", "Show one run: its result, epochs, crossbars, circuit checks and config.\v"
                 "RUN is an id, a name, a unique id prefix, or last.\n\n"
                 "Examples:\n  mho show last\n  mho show last --config > again.yaml");

/* ---------------------------------------------------------------- for people */

static bool is_programmed(const mho_run_row *r) {
  return !strcmp(r->kind, "programmed");
}

/* A line of the head: "started    A, ended B", the second text where there is one. */
static void print_line(const char *label, const char *text, const char *before, const char *more) {
  printf("%-10s ", label);
  print_plain(stdout, text);
  if (more) {
    fputs(before, stdout);
    print_plain(stdout, more);
  }
  putchar('\n');
}

static void print_made_by(const mho_run_row *r) {
  char text[3 * MHO_TEXT_MAX];
  snprintf(text, sizeof text, "mho %s, %s kernels, on %s", r->code_version, r->blas, r->host);
  print_line("made by", text, "", NULL);
  snprintf(text, sizeof text, "%.16s... (hash)", r->config_hash);
  print_line("config", text, "", NULL);
}

static void print_head(const mho_run_row *r) {
  print_line("run", r->id, ", ", r->name);
  print_line("status", r->status, ": ", r->error);
  if (r->parent || is_programmed(r))
    print_line("programmed", "weights of", " ", r->parent ? r->parent : "a file (train.from)");

  if (isfinite(r->final_test_rms) && is_programmed(r))
    printf("rms        %.4g (test), as programmed in %.1f s, %.4g pulses\n", r->final_test_rms,
           r->wall_s, r->pulses);
  else if (isfinite(r->final_test_rms))
    printf("rms        best %.4g in epoch %d, last %.4g (test); test loss %.4g\n", r->best_test_rms,
           r->best_epoch, r->final_test_rms, r->final_test_loss);
  else if (is_programmed(r))
    printf("accuracy   %.2f %% (test), as programmed in %.1f s, %.4g pulses\n",
           100 * r->final_test_acc, r->wall_s, r->pulses);
  else if (r->best_epoch)
    printf("accuracy   best %.2f %% in epoch %d, last %.2f %% (test); training %.2f %%\n",
           100 * r->best_test_acc, r->best_epoch, 100 * r->final_test_acc, 100 * r->train_acc);
  if (!is_programmed(r))
    printf("epochs     %d in %.1f s, %.4g pulses\n", r->epochs_done, r->wall_s, r->pulses);
  printf("seed       %lld\n", (long long)r->seed);
  print_line("started", r->started, ", ended ", r->ended);
  print_made_by(r);
}

static bool take_count(void *user, int n, const char *const *names, const mho_cell *cells) {
  if (cells)
    *(int64_t *)user = cells[0].i;
  return true;
}

/* A table with a heading, unless it is empty. */
static mho_err print_section(mho_store *s, const char *heading, const char *id, const char *count,
                             const char *sql, mho_errinfo *ei) {
  int64_t found = 0;
  mho_err err = mho_store_query(s, count, 1, &id, 0, take_count, &found, ei);
  if (err || !found)
    return err;
  printf("\n%s\n", heading);
  return print_query(s, sql, 1, &id, 0, FORMAT_TABLE, NULL, ei);
}

/* What is known of a run, table by table; each is printed where `count` finds something. */
static const struct {
  const char *heading, *count, *sql;
  bool of_programmed; /* only of runs of that kind */
} sections[] = {
    {"epochs", "SELECT count(*) FROM epoch WHERE run_id = ?1 AND test_loss IS NOT NULL",
     "SELECT epoch, printf('%.4g', loss) AS loss, printf('%.4g', test_loss) AS \"test loss\", "
     "printf('%.4g', test_rms) AS \"test rms\", printf('%.1f', settle_steps) AS steps, unsettled, "
     "pulses, clipped, printf('%.2f', wall_s) AS \"time s\" FROM epoch WHERE run_id = ?1 "
     "ORDER BY 1",
     false},
    {"epochs", "SELECT count(*) FROM epoch WHERE run_id = ?1 AND test_loss IS NULL",
     "SELECT epoch, printf('%.2f', 100*train_acc) AS \"train %\", "
     "printf('%.2f', 100*test_acc) AS \"test %\", printf('%.4f', loss) AS loss, "
     "printf('%.1f', settle_steps) AS steps, unsettled, pulses, clipped, "
     "printf('%.2f', wall_s) AS \"time s\" FROM epoch WHERE run_id = ?1 ORDER BY 1",
     false},
    {"crossbars after the last epoch", "SELECT count(*) FROM layer_epoch WHERE run_id = ?1",
     "SELECT name, rows || ' x ' || cols AS size, printf('%.4f', w_std) AS \"w std\", "
     "printf('%.4f', w_absmax) AS \"w max\", "
     "iif(g_mean IS NULL, '-', printf('%.2f', 1e6*g_mean)) AS \"G uS\", "
     "iif(g_mean IS NULL, '-', printf('%.2f', 1e6*g_std)) AS \"spread uS\", "
     "iif(g_mean IS NULL, '-', printf('%.2f', 100*saturated)) AS \"at bound %\", "
     "iif(g_mean IS NULL, '-', printf('%.2f', 100*stuck)) AS \"stuck %\", pulses "
     "FROM layer_epoch WHERE run_id = ?1 AND epoch = "
     "(SELECT max(epoch) FROM layer_epoch WHERE run_id = ?1) ORDER BY layer",
     false},
    {"written weights less those that were to be written",
     "SELECT count(*) FROM layer_epoch WHERE run_id = ?1 AND w_error IS NOT NULL",
     "SELECT name, printf('%.4g', w_range) AS \"w_max\", printf('%.3g', w_error) AS \"rms error\", "
     "printf('%.3g', 100*w_error/w_range) AS \"of w_max %\", "
     "printf('%.2f', 100*clipped) AS \"clipped %\" "
     "FROM layer_epoch WHERE run_id = ?1 AND epoch = 0 ORDER BY layer",
     true},
    {"observables",
     "SELECT count(*) FROM settle s JOIN layer_epoch USING (run_id, epoch) WHERE run_id = ?1 AND "
     "coalesce(spectral_radius, lyapunov, residual_max, cosine) IS NOT NULL",
     "SELECT epoch, round(spectral_radius, 4) AS \"spectral radius\", "
     "round(lyapunov, 4) AS \"Lyapunov 1/step\", "
     "iif(residual_max IS NULL, NULL, round(steps_mean, 1)) AS \"settling\", "
     "steps_max AS \"longest\", iif(residual_max IS NULL, NULL, unsettled) AS unsettled, "
     "(SELECT group_concat(printf('%.3f', cosine), ' ') FROM (SELECT cosine FROM layer_epoch l "
     "WHERE l.run_id = ?1 AND l.epoch = settle.epoch AND cosine IS NOT NULL ORDER BY layer)) "
     "AS \"cosines with backprop\" "
     "FROM settle WHERE run_id = ?1 AND phase = 'free' ORDER BY epoch",
     false},
    {"Kirchhoff's law and powers at the test images, in units of the network",
     "SELECT count(*) FROM settle WHERE run_id = ?1 AND kirchhoff IS NOT NULL",
     "SELECT epoch, printf('%.2g', kirchhoff) AS \"largest current left\", "
     "printf('%.6g', dissipated) AS dissipated, printf('%.6g', supplied) AS supplied "
     "FROM settle WHERE run_id = ?1 AND phase = 'free' ORDER BY epoch",
     false},
    {"controls, first training batch", "SELECT count(*) FROM control WHERE run_id = ?1",
     "SELECT epoch, (SELECT group_concat(printf('%.3g', size), ' ') FROM (SELECT size FROM control "
     "l WHERE l.run_id = ?1 AND l.epoch = c.epoch ORDER BY layer)) AS \"controls over inputs\", "
     "(SELECT group_concat(printf('%.3f', cosine), ' ') FROM (SELECT cosine FROM control l WHERE "
     "l.run_id = ?1 AND l.epoch = c.epoch ORDER BY layer)) AS \"cosines with backprop\", "
     "(SELECT group_concat(printf('%.3f', cosine_least), ' ') FROM (SELECT cosine_least FROM "
     "control l WHERE l.run_id = ?1 AND l.epoch = c.epoch ORDER BY layer)) AS "
     "\"with the least\", round(condition, 3) AS condition, round(growth, 3) AS growth, "
     "printf('%.2g', residual) AS residual, round(100*unsettled, 1) AS \"unsettled %\" "
     "FROM control c WHERE run_id = ?1 AND condition IS NOT NULL ORDER BY epoch",
     false},
    {"last epoch on hardware, one sample after another",
     "SELECT count(*) FROM energy_epoch WHERE run_id = ?1",
     "WITH e AS (SELECT * FROM energy_epoch WHERE run_id = ?1 AND epoch = "
     "(SELECT max(epoch) FROM energy_epoch WHERE run_id = ?1)) "
     "SELECT term, printf('%.3g', joule) AS \"J\", "
     "printf('%.1f', 100*joule/(SELECT sum(joule) FROM e)) AS \"%\", "
     "printf('%.3g', joule/samples) AS \"J a sample\", "
     "printf('%.3g', seconds/samples) AS \"s a sample\", printf('%.3g', count) AS count "
     "FROM (SELECT *, 0 AS last FROM e UNION ALL SELECT run_id, epoch, 'in all', sum(joule), "
     "sum(seconds), NULL, max(samples), 1 FROM e) ORDER BY last, joule DESC",
     false},
    {"checked in ngspice", "SELECT count(*) FROM cosim WHERE run_id = ?1",
     "SELECT what, quantity, n, printf('%.3g', max_rel) AS \"largest difference\", place, "
     "printf('%.3g', tolerance) AS tolerance, CASE pass WHEN 1 THEN 'pass' ELSE 'FAIL' END AS "
     "result FROM cosim WHERE run_id = ?1",
     false},
};
enum { CROSSBARS = 1 }; /* of the sections: a programmed run has no last epoch */

static mho_err print_people(mho_store *s, const mho_run_row *r, mho_errinfo *ei) {
  print_head(r);
  for (int i = 0; i < MHO_COUNT(sections); i++) {
    const char *heading = sections[i].heading;
    if (sections[i].of_programmed && !is_programmed(r))
      continue;
    if (i == CROSSBARS && is_programmed(r))
      heading = "crossbars as programmed";
    mho_err err = print_section(s, heading, r->id, sections[i].count, sections[i].sql, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- for programs */

static bool take_energy(void *user, int n, const char *const *names, const mho_cell *c) {
  if (c)
    json_array_append_new(user, json_pack("{ss sf sf sf}", "term", c[0].text, "joule", c[1].d,
                                          "seconds", c[2].d, "count", c[3].d));
  return true;
}

/* Energy and time by term, summed over the epochs. */
static json_t *energy_terms(mho_store *s, const char *id) {
  static const char sql[] = "SELECT term, total(joule), total(seconds), total(count) "
                            "FROM energy_epoch WHERE run_id = ?1 GROUP BY term ORDER BY term";
  json_t *a = json_array();
  mho_store_query(s, sql, 1, &id, 0, take_energy, a, NULL);
  return a;
}

static void print_json(mho_store *s, const mho_run_row *r) {
  const struct {
    const char *name;
    double v;
  } numbers[] = {{"final_test_acc", r->final_test_acc},
                 {"best_test_acc", r->best_test_acc},
                 {"train_acc", r->train_acc},
                 {"val_acc", r->val_acc},
                 {"pulses", r->pulses},
                 {"energy_j", r->energy_j}};
  json_t *config = mho__json_of_text(r->config, NULL);
  json_t *o = json_pack("{ss so* ss ss* ss ss si sI ss ss ss ss ss* sf si so* so}", "id", r->id,
                        "name", text_json(r->name), "kind", r->kind, "parent", r->parent, "status",
                        r->status, "config_hash", r->config_hash, "epochs_done", r->epochs_done,
                        "seed", (json_int_t)r->seed, "code_version", r->code_version, "blas",
                        r->blas, "host", r->host, "started", r->started, "ended", r->ended,
                        "wall_s", r->wall_s, "best_epoch", r->best_epoch, "error",
                        text_json(r->error), "config", config ? config : json_null());

  const struct {
    const char *name;
    double v;
  } of_values[] = {{"final_test_loss", r->final_test_loss},
                   {"best_test_loss", r->best_test_loss},
                   {"val_loss", r->val_loss},
                   {"final_test_rms", r->final_test_rms},
                   {"best_test_rms", r->best_test_rms}};

  for (int i = 0; i < MHO_COUNT(numbers); i++)
    json_object_set_new(o, numbers[i].name, number_or_null(numbers[i].v));
  for (int i = 0; i < MHO_COUNT(of_values); i++)
    if (isfinite(of_values[i].v))
      json_object_set_new(o, of_values[i].name, json_real(of_values[i].v));
  if (isfinite(r->energy_j))
    json_object_set_new(o, "energy", energy_terms(s, r->id));
  print_json_line(o, JSON_DIGITS);
}

/* ---------------------------------------------------------------- the verb */

static mho_err print_yaml(mho_store *s, const char *id, mho_errinfo *ei) {
  environment env;
  mho_experiment *e = NULL;

  mho_err err = environment_open(&env, -1, ei);
  if (err)
    return err;

  err = mho_train_stored_experiment(s, env.registry, id, 0, NULL, &e, ei);
  char *yaml = err ? NULL : mho_experiment_yaml(e, false);
  if (yaml)
    fputs(yaml, stdout);

  free(yaml);
  mho_experiment_free(e);
  environment_close(&env);
  return err;
}

static mho_err print_run(const options *o, mho_store *s, const char *id, mho_errinfo *ei) {
  mho_run_row record = {0};
  mho_err err = mho_store_run_get(s, id, &record, ei);
  if (!err && o->common.json)
    print_json(s, &record);
  else if (!err)
    err = print_people(s, &record, ei);
  mho_run_row_free(&record);
  return err;
}

static int run(int argc, char **argv) {
  options o = {.common.verb = "show"};
  parse_options(&argp, argc, argv, &o);

  mho_errinfo ei = {0};
  mho_store *s = NULL;
  char id[MHO_ID_MAX];
  mho_err err = open_database(&o.common, MHO_STORE_READ, &s, &ei);
  if (!err)
    err = mho_store_find(s, o.common.run, id, &ei);
  if (!err)
    err = o.config ? print_yaml(s, id, &ei) : print_run(&o, s, id, &ei);

  mho_store_close(s);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_show = {"show", "one run in full", &argp, run};
