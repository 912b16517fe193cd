/* head.c - the head of a run's report: its name, one sentence, key figures.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "report/html.h"
#include "report/page.h"

/* ---------------------------------------------------------------- the sentence */

/* "64-32-16-10" where the connections make a chain, else what the config says of the hidden layers. */
static void network_text(const mho_page *p, char *buf, size_t capacity) {
  const mho_report_layer *l = p->d.layer;
  bool chain = p->d.n_layers > 0 && !p->d.more_layers;
  for (int i = 1; chain && i < p->d.n_layers; i++)
    chain = l[i].rows == l[i - 1].cols;
  *buf = 0;
  if (chain) {
    mho_text_append(buf, capacity, "%d", l[0].rows);
    for (int i = 0; i < p->d.n_layers; i++)
      mho_text_append(buf, capacity, "-%d", l[i].cols);
    return;
  }
  const char *topology = mho_report_config_value(&p->config, "network", "topology");
  const char *own =
      mho_report_config_value(&p->config, "network", topology); /* network.conv of topology conv */
  const char *hidden = *own ? own : mho_report_config_value(&p->config, "network", "hidden");
  mho_text_append(buf, capacity, "%s network, hidden layers %s", topology,
                  *hidden ? hidden : "unknown");
}

static void hardware_text(const mho_page *p, char *buf, size_t capacity) {
  const char *device = mho_report_config_value(&p->config, "device", "model"),
             *array = mho_report_config_value(&p->config, "array", "model");
  bool ideal_device = !strcmp(device, "ideal") || !*device,
       ideal_array = !strcmp(array, "ideal") || !*array;
  if (!ideal_device)
    snprintf(buf, capacity, "on %s crossbars", device);
  else if (!ideal_array)
    snprintf(buf, capacity, "on ideal devices in %s arrays", array);
  else
    snprintf(buf, capacity, "in floating point");
}

static void summary_text(const mho_page *p, char *buf, size_t capacity) {
  const mho_run_row *r = &p->d.run;
  char rule[MHO_NUMBER_MAX], hardware[160], network[256], best[MHO_NUMBER_MAX],
      last[MHO_NUMBER_MAX];
  snprintf(rule, sizeof rule, "%s", mho_report_config_value(&p->config, "rule", "name"));
  for (char *c = rule; *c && strlen(rule) <= 3; c++) /* an abbreviation */
    *c = (char)toupper((unsigned char)*c);
  hardware_text(p, hardware, sizeof hardware);
  network_text(p, network, sizeof network);
  snprintf(buf, capacity, "%s %s, %s, %s: ", *rule ? rule : "training", hardware, network,
           mho_report_config_value(&p->config, "dataset", "name"));
  if (mho_report_is_programmed(&p->d))
    mho_text_append(buf, capacity, "programmed, test accuracy %s.",
                    mho_percent(r->final_test_acc, last));
  else if (r->best_epoch > 0)
    mho_text_append(buf, capacity, "best test accuracy %s in epoch %d (by %s), last %s.",
                    mho_percent(r->best_test_acc, best), r->best_epoch,
                    p->by_validation ? "validation" : "test", mho_percent(r->final_test_acc, last));
  else
    mho_text_append(buf, capacity, "no epoch is complete.");
}

/* The schema makes sure of "YYYY-MM-DDThh:mm:ss...Z". */
static void write_time(const mho_page *p, const char *what, const char *iso) {
  if (!iso || strlen(iso) < 20)
    return;
  fprintf(p->out, " · %s <time datetime=\"", what);
  mho_html_text(p->out, iso);
  fputs("\">", p->out);
  mho_html_printf(p->out, "%.10s %.8s UTC", iso, iso + 11);
  fputs("</time>", p->out);
}

static void write_title(const mho_page *p, const char *title) {
  const mho_run_row *r = &p->d.run;
  char summary[1024];
  bool good = !strcmp(r->status, "completed"),
       bad = !strcmp(r->status, "failed") || !strcmp(r->status, "diverged");
  summary_text(p, summary, sizeof summary);
  fputs("<p class=\"kind\">mho run report</p>\n<h1>", p->out);
  mho_html_text(p->out, title);
  fputs("</h1>\n<p class=\"meta\">run <code>", p->out);
  mho_html_text(p->out, r->id);
  fprintf(p->out, "</code> · <span class=\"%s\">", good ? "good" : bad ? "bad" : "status");
  mho_html_text(p->out, r->status);
  fputs("</span>", p->out);
  write_time(p, "started", r->started);
  write_time(p, "ended", r->ended);
  fputs("</p>\n<p class=\"lead\">", p->out);
  mho_html_text(p->out, summary);
  fputs("</p>\n", p->out);
  if (r->error) {
    fputs("<p class=\"alert\">", p->out);
    mho_html_text(p->out, r->error);
    fputs("</p>\n", p->out);
  }
  if (!strcmp(r->status, "running"))
    fputs("<p class=\"note\">The run had not ended when this report was written.</p>\n", p->out);
}

static double total(const mho_report_data *d, size_t offset) {
  double sum = NAN;
  for (int i = 0; i < d->n_epochs; i++) {
    double v = mho_epoch_value(&d->epoch[i], offset);
    if (isfinite(v))
      sum = isfinite(sum) ? sum + v : v;
  }
  return sum;
}

static void write_programmed_tiles(const mho_page *p) {
  const mho_run_row *r = &p->d.run;
  char a[MHO_NUMBER_MAX];
  fputs("<dl class=\"tiles\">\n", p->out);
  mho_html_tile(p->out, "Test accuracy", mho_percent(r->final_test_acc, a),
                "of the weights as they were written");
  if (isfinite(r->val_acc))
    mho_html_tile(p->out, "Validation accuracy", mho_percent(r->val_acc, a),
                  "held out of the training part");
  mho_html_tile(p->out, "Programming pulses", mho_count(r->pulses, a), "%s",
                r->pulses > 0 ? "on all devices" : "weights are not pulsed");
  mho_html_tile(p->out, "Wall time", mho_duration(r->wall_s, a), "programming and evaluation");
  fputs("</dl>\n", p->out);
}

static void write_tiles(const mho_page *p) {
  const mho_report_data *d = &p->d;
  const mho_run_row *r = &d->run;
  char a[MHO_NUMBER_MAX], b[MHO_NUMBER_MAX], c[MHO_NUMBER_MAX];
  const char *wanted = mho_report_config_value(&p->config, "train", "epochs");
  fputs("<dl class=\"tiles\">\n", p->out);
  if (r->best_epoch > 0)
    mho_html_tile(p->out, "Best test accuracy", mho_percent(r->best_test_acc, a),
                  "in epoch %d, by %s", r->best_epoch, p->by_validation ? "validation" : "test");
  else
    mho_html_tile(p->out, "Best test accuracy", mho_percent((double)NAN, a), "no epoch yet");
  mho_html_tile(p->out, "Last test accuracy", mho_percent(r->final_test_acc, a), "training %s",
                mho_percent(r->train_acc, b));
  if (isfinite(r->val_acc))
    mho_html_tile(p->out, "Last validation accuracy", mho_percent(r->val_acc, a),
                  "held out of the training part");
  mho_html_tile(p->out, "Epochs", mho_count(r->epochs_done, a), "of %s",
                *wanted ? wanted : "an unknown number");
  double set = total(d, MHO_EPOCH_AT(set_pulses)), reset = total(d, MHO_EPOCH_AT(reset_pulses));
  if (r->pulses > 0 && set + reset > 0)
    mho_html_tile(p->out, "Programming pulses", mho_count(r->pulses, a), "%s SET, %s RESET",
                  mho_count(set, b), mho_count(reset, c));
  else
    mho_html_tile(p->out, "Programming pulses", mho_count(r->pulses, a), "%s",
                  r->pulses > 0 ? "on all devices" : "weights are not pulsed");
  if (isfinite(r->energy_j))
    mho_html_tile(p->out, "Energy", mho_si(r->energy_j, "J", a), "of the modelled hardware");
  mho_html_tile(p->out, "Wall time", mho_duration(r->wall_s, a), "training %s, evaluation %s",
                mho_duration(total(d, MHO_EPOCH_AT(wall_s)), b),
                mho_duration(total(d, MHO_EPOCH_AT(eval_s)), c));
  double unsettled = 0;
  for (int i = 0; i < d->n_epochs; i++)
    unsettled += (double)d->epoch[i].unsettled;
  if (d->n_epochs > 0)
    mho_html_tile(p->out, "Unsettled samples",
                  mho_count((double)d->epoch[d->n_epochs - 1].unsettled, a),
                  "in the last epoch, %s in all", mho_count(unsettled, b));
  fputs("</dl>\n", p->out);
}

void mho_page_head(const mho_page *p, const char *title) {
  fputs("<header>\n", p->out);
  write_title(p, title);
  if (mho_report_is_programmed(&p->d))
    write_programmed_tiles(p);
  else
    write_tiles(p);
  fputs("</header>\n", p->out);
}
