/* head.c - the head of a run's report: its name, one sentence, key figures.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "report/html.h"
#include "report/page.h"

/* ---------------------------------------------------------------- the sentence */

/* Whether each connection begins where the one before it ends. */
static bool is_chain(const mho_report_data *d) {
  if (d->n_layers == 0 || d->more_layers)
    return false;
  for (int i = 1; i < d->n_layers; i++)
    if (d->layer[i].rows != d->layer[i - 1].cols)
      return false;
  return true;
}

/* "64-32-16-10" where the connections make a chain, else the hidden layers of the config. */
static void network_text(const mho_page *p, char *buf, size_t capacity) {
  const mho_report_layer *l = p->d.layer;
  *buf = 0;
  if (is_chain(&p->d)) {
    mho_text_append(buf, capacity, "%d", l[0].rows);
    for (int i = 0; i < p->d.n_layers; i++)
      mho_text_append(buf, capacity, "-%d", l[i].cols);
    return;
  }

  /* a topology may have a key of its own name: network.conv of topology conv */
  const char *topology = mho__report_config_value(&p->config, "network", "topology");
  const char *hidden = mho__report_config_value(&p->config, "network", topology);
  if (!*hidden)
    hidden = mho__report_config_value(&p->config, "network", "hidden");
  mho_text_append(buf, capacity, "%s network, hidden layers %s", topology,
                  *hidden ? hidden : "unknown");
}

static bool is_ideal(const char *model) {
  return !*model || !strcmp(model, "ideal");
}

static void hardware_text(const mho_page *p, char *buf, size_t capacity) {
  const char *device = mho__report_config_value(&p->config, "device", "model");
  const char *array = mho__report_config_value(&p->config, "array", "model");
  if (!is_ideal(device))
    snprintf(buf, capacity, "on %s crossbars", device);
  else if (!is_ideal(array))
    snprintf(buf, capacity, "on ideal devices in %s arrays", array);
  else
    snprintf(buf, capacity, "in floating point");
}

/* The rule's id, in capitals where it is an abbreviation. */
static void rule_text(const mho_page *p, char *buf, size_t capacity) {
  const char *rule = mho__report_config_value(&p->config, "rule", "name");
  snprintf(buf, capacity, "%s", *rule ? rule : "training");
  if (strlen(rule) > 3 || !*rule)
    return;
  for (char *c = buf; *c; c++)
    *c = (char)toupper((unsigned char)*c);
}

/* What the best epoch is best by. */
static const char *judge_of(const mho_page *p) {
  return p->by_validation ? "validation" : "test";
}

/* An accuracy, or the rms where targets are values. */
static char *score_text(const mho_page *p, double accuracy, double rms, char buf[MHO_NUMBER_MAX]) {
  return mho__report_has_values(&p->d) ? mho__number(rms, 4, buf) : mho__percent(accuracy, buf);
}

static void summary_text(const mho_page *p, char *buf, size_t capacity) {
  const mho_run_row *r = &p->d.run;
  char rule[MHO_NUMBER_MAX], hardware[160], network[256];
  char best[MHO_NUMBER_MAX], last[MHO_NUMBER_MAX];

  rule_text(p, rule, sizeof rule);
  hardware_text(p, hardware, sizeof hardware);
  network_text(p, network, sizeof network);
  snprintf(buf, capacity, "%s %s, %s, %s: ", rule, hardware, network,
           mho__report_config_value(&p->config, "dataset", "name"));

  const char *what = mho__report_has_values(&p->d) ? "rms" : "accuracy";
  score_text(p, r->best_test_acc, r->best_test_rms, best);
  score_text(p, r->final_test_acc, r->final_test_rms, last);
  if (mho__report_is_programmed(&p->d))
    mho_text_append(buf, capacity, "programmed, test %s %s.", what, last);
  else if (r->best_epoch > 0)
    mho_text_append(buf, capacity, "best test %s %s in epoch %d (by %s), last %s.", what, best,
                    r->best_epoch, judge_of(p), last);
  else
    mho_text_append(buf, capacity, "no epoch is complete.");
}

/* ---------------------------------------------------------------- the title */

/* The schema makes sure of "YYYY-MM-DDThh:mm:ss...Z". */
static void write_time(const mho_page *p, const char *what, const char *iso) {
  if (!iso || strlen(iso) < 20)
    return;
  fprintf(p->out, " · %s <time datetime=\"", what);
  mho__html_text(p->out, iso);
  fputs("\">", p->out);
  mho__html_printf(p->out, "%.10s %.8s UTC", iso, iso + 11);
  fputs("</time>", p->out);
}

/* The class of the page's style that a status is shown in. */
static const char *status_class(const char *status) {
  if (!strcmp(status, "completed"))
    return "good";
  if (!strcmp(status, "failed") || !strcmp(status, "diverged"))
    return "bad";
  return "status";
}

static void write_title(const mho_page *p, const char *title) {
  const mho_run_row *r = &p->d.run;
  fputs("<p class=\"kind\">mho run report</p>\n<h1>", p->out);
  mho__html_text(p->out, title);
  fputs("</h1>\n<p class=\"meta\">run <code>", p->out);
  mho__html_text(p->out, r->id);
  fprintf(p->out, "</code> · <span class=\"%s\">", status_class(r->status));
  mho__html_text(p->out, r->status);
  fputs("</span>", p->out);
  write_time(p, "started", r->started);
  write_time(p, "ended", r->ended);

  char summary[1024];
  summary_text(p, summary, sizeof summary);
  fputs("</p>\n<p class=\"lead\">", p->out);
  mho__html_text(p->out, summary);
  fputs("</p>\n", p->out);

  if (r->error) {
    fputs("<p class=\"alert\">", p->out);
    mho__html_text(p->out, r->error);
    fputs("</p>\n", p->out);
  }

  if (!strcmp(r->status, "running"))
    fputs("<p class=\"note\">The run had not ended when this report was written.</p>\n", p->out);
}

/* ---------------------------------------------------------------- key figures */

/* Sum of a value over the epochs that have it; NaN when none has. */
static double total(const mho_report_data *d, size_t offset) {
  double sum = NAN;
  for (int i = 0; i < d->n_epochs; i++) {
    double v = mho__epoch_value(&d->epoch[i], offset);
    if (isfinite(v))
      sum = isfinite(sum) ? sum + v : v;
  }
  return sum;
}

static void write_validation_tile(const mho_page *p, const char *name) {
  char a[MHO_NUMBER_MAX];
  const mho_run_row *r = &p->d.run;
  if (isfinite(r->val_acc) || isfinite(r->val_loss))
    mho__html_tile(p->out, name, score_text(p, r->val_acc, r->val_loss, a),
                   "held out of the training part");
}

/* Pulses on all devices, of SET and RESET where that is known. */
static void write_pulses_tile(const mho_page *p, double set, double reset) {
  double pulses = p->d.run.pulses;
  char a[MHO_NUMBER_MAX], b[MHO_NUMBER_MAX], c[MHO_NUMBER_MAX];

  mho__count(pulses, a);
  if (pulses > 0 && set + reset > 0)
    mho__html_tile(p->out, "Programming pulses", a, "%s SET, %s RESET", mho__count(set, b),
                   mho__count(reset, c));
  else
    mho__html_tile(p->out, "Programming pulses", a, "%s",
                   pulses > 0 ? "on all devices" : "weights are not pulsed");
}

static void write_programmed_tiles(const mho_page *p) {
  const mho_run_row *r = &p->d.run;
  char a[MHO_NUMBER_MAX];
  bool values = mho__report_has_values(&p->d);
  mho__html_tile(p->out, values ? "Test rms" : "Test accuracy",
                 score_text(p, r->final_test_acc, r->final_test_rms, a),
                 "of the weights as they were written");
  write_validation_tile(p, values ? "Validation loss" : "Validation accuracy");
  write_pulses_tile(p, NAN, NAN);
  mho__html_tile(p->out, "Wall time", mho__duration(r->wall_s, a), "programming and evaluation");
}

/* In place of accuracies where targets are values. */
static void write_rms_tiles(const mho_page *p) {
  const mho_run_row *r = &p->d.run;
  char a[MHO_NUMBER_MAX], b[MHO_NUMBER_MAX];
  mho__html_tile(p->out, "Best test rms", mho__number(r->best_test_rms, 4, a),
                 "in epoch %d, by %s loss", r->best_epoch, judge_of(p));
  mho__html_tile(p->out, "Last test rms", mho__number(r->final_test_rms, 4, a), "test loss %s",
                 mho__number(r->final_test_loss, 4, b));
  write_validation_tile(p, "Last validation loss");
}

static void write_accuracy_tiles(const mho_page *p) {
  const mho_run_row *r = &p->d.run;
  char a[MHO_NUMBER_MAX], b[MHO_NUMBER_MAX];

  if (r->best_epoch > 0)
    mho__html_tile(p->out, "Best test accuracy", mho__percent(r->best_test_acc, a),
                   "in epoch %d, by %s", r->best_epoch, judge_of(p));
  else
    mho__html_tile(p->out, "Best test accuracy", mho__percent((double)NAN, a), "no epoch yet");

  mho__html_tile(p->out, "Last test accuracy", mho__percent(r->final_test_acc, a), "training %s",
                 mho__percent(r->train_acc, b));
  write_validation_tile(p, "Last validation accuracy");
}

static void write_unsettled_tile(const mho_page *p) {
  const mho_report_data *d = &p->d;
  char a[MHO_NUMBER_MAX], b[MHO_NUMBER_MAX];
  double unsettled = 0;
  if (d->n_epochs == 0)
    return;

  for (int i = 0; i < d->n_epochs; i++)
    unsettled += (double)d->epoch[i].unsettled;
  mho__html_tile(p->out, "Unsettled samples",
                 mho__count((double)d->epoch[d->n_epochs - 1].unsettled, a),
                 "in the last epoch, %s in all", mho__count(unsettled, b));
}

static void write_trained_tiles(const mho_page *p) {
  const mho_report_data *d = &p->d;
  const mho_run_row *r = &d->run;
  char a[MHO_NUMBER_MAX], b[MHO_NUMBER_MAX], c[MHO_NUMBER_MAX];
  const char *wanted = mho__report_config_value(&p->config, "train", "epochs");

  if (mho__report_has_values(d))
    write_rms_tiles(p);
  else
    write_accuracy_tiles(p);
  mho__html_tile(p->out, "Epochs", mho__count(r->epochs_done, a), "of %s",
                 *wanted ? wanted : "an unknown number");
  write_pulses_tile(p, total(d, MHO_EPOCH_AT(set_pulses)), total(d, MHO_EPOCH_AT(reset_pulses)));
  if (isfinite(r->energy_j))
    mho__html_tile(p->out, "Energy", mho__si(r->energy_j, "J", a), "of the modelled hardware");
  mho__html_tile(p->out, "Wall time", mho__duration(r->wall_s, a), "training %s, evaluation %s",
                 mho__duration(total(d, MHO_EPOCH_AT(wall_s)), b),
                 mho__duration(total(d, MHO_EPOCH_AT(eval_s)), c));
  write_unsettled_tile(p);
}

void mho__page_head(const mho_page *p, const char *title) {
  fputs("<header>\n", p->out);
  write_title(p, title);
  fputs("<dl class=\"tiles\">\n", p->out);
  if (mho__report_is_programmed(&p->d))
    write_programmed_tiles(p);
  else
    write_trained_tiles(p);
  fputs("</dl>\n</header>\n", p->out);
}
