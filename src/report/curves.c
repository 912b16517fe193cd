/* curves.c - accuracy or rms, loss, pulses and observables against the epoch, drawn and as a table.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "report/html.h"
#include "report/page.h"

enum { EPOCHS_SHOWN = 100 };

static void add_curve(mho_plot *plot, const mho_page *p, const char *title, size_t offset,
                      int color, bool dashed) {
  if (mho__report_has(&p->d, offset))
    plot->curve[plot->n_curves++] = (mho_curve){title, offset, color, dashed};
}

static void write_plot(mho_page *p, const mho_plot *plot, const char *caption) {
  mho__plot_curves(&p->figures, plot, p->d.epoch, p->d.n_epochs, caption);
}

/* ---------------------------------------------------------------- training */

/* Smallest and largest value of a curve, for its scale. */
static void extent(const mho_page *p, size_t offset, double *low, double *high) {
  *low = INFINITY;
  *high = -INFINITY;
  for (int i = 0; i < p->d.n_epochs; i++) {
    double v = mho__epoch_value(&p->d.epoch[i], offset);
    if (isfinite(v)) {
      *low = fmin(*low, v);
      *high = fmax(*high, v);
    }
  }
}

static void plot_accuracy(mho_page *p) {
  const mho_run_row *r = &p->d.run;
  char description[256], train[MHO_NUMBER_MAX], test[MHO_NUMBER_MAX], best[MHO_NUMBER_MAX];

  snprintf(description, sizeof description,
           "Accuracy against epoch: last training %s, last test %s, best test %s in epoch %d",
           mho__percent(r->train_acc, train), mho__percent(r->final_test_acc, test),
           mho__percent(r->best_test_acc, best), r->best_epoch);
  mho_plot plot = {.y_label = "accuracy (%)",
                   .factor = 100,
                   .ring = r->best_epoch,
                   .ring_title = "best",
                   .description = description};
  add_curve(&plot, p, "training", MHO_EPOCH_AT(train_acc), 2, true);
  add_curve(&plot, p, "validation", MHO_EPOCH_AT(val_acc), 3, false);
  add_curve(&plot, p, "test", MHO_EPOCH_AT(test_acc), 1, false);
  write_plot(p, &plot,
             "Accuracy after each epoch; training accuracy is taken while the weights change.");
}

/* In place of the accuracy where targets are values. */
static void plot_rms(mho_page *p) {
  const mho_run_row *r = &p->d.run;
  char description[160], last[MHO_NUMBER_MAX], best[MHO_NUMBER_MAX];
  double low, high;
  extent(p, MHO_EPOCH_AT(test_rms), &low, &high);

  snprintf(description, sizeof description, "Test rms against epoch: last %s, best %s in epoch %d",
           mho__number(r->final_test_rms, 4, last), mho__number(r->best_test_rms, 4, best),
           r->best_epoch);
  mho_plot plot = {.y_label = "rms",
                   .factor = 1,
                   .logarithmic = low > 0 && high / low > 30,
                   .ring = r->best_epoch,
                   .ring_title = "best",
                   .description = description};
  add_curve(&plot, p, "test", MHO_EPOCH_AT(test_rms), 1, false);
  write_plot(p, &plot,
             "Root of the mean squared error of the test samples after each epoch, in the targets' "
             "own unit.");
}

static void plot_loss(mho_page *p) {
  bool values = mho__report_has_values(&p->d);
  const char *unit = values ? "" : " nat", *label = values ? "loss" : "loss (nat)";
  double low, high;
  extent(p, MHO_EPOCH_AT(loss), &low, &high);
  bool logarithmic = low > 0 && high / low > 30;
  if (logarithmic)
    label = values ? "loss (log scale)" : "loss (nat, log scale)";

  char description[128];
  snprintf(description, sizeof description, "Training loss against epoch, between %.4g and %.4g%s",
           low, high, unit);
  mho_plot plot = {.y_label = label,
                   .factor = 1,
                   .logarithmic = logarithmic,
                   .from_zero = true,
                   .description = description};
  add_curve(&plot, p, "training loss", MHO_EPOCH_AT(loss), 2, false);
  add_curve(&plot, p, "validation loss", MHO_EPOCH_AT(val_loss), 3, false);
  add_curve(&plot, p, "test loss", MHO_EPOCH_AT(test_loss), 1, false);
  write_plot(p, &plot,
             values ? "Mean loss of the samples in each epoch, half the squared error of a sample; "
                      "that of training is taken while the weights change."
                    : "Mean loss of the training samples in each epoch.");
}

static void plot_pulses(mho_page *p) {
  static const struct {
    double factor;
    const char *label;
  } scale[] = {{1e-9, "pulses (billions)"},
               {1e-6, "pulses (millions)"},
               {1e-3, "pulses (thousands)"},
               {1, "pulses"}};
  double low, high;

  extent(p, MHO_EPOCH_AT(pulses), &low, &high);
  if (!(high > 0))
    return;

  int k = 0;
  while (k < MHO_COUNT(scale) - 1 && high * scale[k].factor < 2)
    k++;

  char description[160], from[MHO_NUMBER_MAX], to[MHO_NUMBER_MAX];
  snprintf(description, sizeof description, "Programming pulses of each epoch, between %s and %s",
           mho__count(low, from), mho__count(high, to));
  mho_plot plot = {.y_label = scale[k].label,
                   .factor = scale[k].factor,
                   .from_zero = true,
                   .description = description};
  add_curve(&plot, p, "SET", MHO_EPOCH_AT(set_pulses), 1, false);
  add_curve(&plot, p, "RESET", MHO_EPOCH_AT(reset_pulses), 3, true);
  if (plot.n_curves == 0)
    add_curve(&plot, p, "pulses", MHO_EPOCH_AT(pulses), 1, false);
  write_plot(p, &plot,
             "Programming pulses on all devices: SET raises a conductance, RESET lowers it.");
}

/* ---------------------------------------------------------------- observables */

/* A curve of its own values, [epochs]; false when none of them is finite. */
static bool add_values(mho_plot *plot, const mho_page *p, const char *title, const double *value,
                       int color, bool dashed) {
  bool any = false;
  for (int i = 0; i < p->d.n_epochs; i++)
    any = any || isfinite(value[i]);
  if (any)
    plot->curve[plot->n_curves++] =
        (mho_curve){.title = title, .color = color, .dashed = dashed, .value = value};
  return any;
}

/* "Settling time (steps) against epoch, last 16" */
static void plot_observable(mho_page *p, const char *y_label, const char *title,
                            const double *value, const char *second, const double *other,
                            const char *caption) {
  char description[160], last[MHO_NUMBER_MAX];
  mho_plot plot = {.y_label = y_label, .factor = 1, .description = description};
  if (!add_values(&plot, p, title, value, 1, false))
    return;
  if (other)
    add_values(&plot, p, second, other, 2, true);
  snprintf(description, sizeof description, "%s against epoch, last %s", y_label,
           mho__number(value[p->d.n_epochs - 1], 4, last));
  write_plot(p, &plot, caption);
}

/* A connection's name for gnuplot; what is not a letter, a digit, - or . becomes _. */
static void curve_title(const char *connection, char title[MHO_NAME_MAX]) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
  snprintf(title, MHO_NAME_MAX, "%s", connection);
  for (char *t = title; *t; t++)
    if (!strchr(plain, *t))
      *t = '_';
}

/* One curve a connection, and where there are too many, some from the first to the last. */
static void plot_cosines(mho_page *p) {
  const mho_report_observables *o = &p->d.observed;
  int n = o->n_connections, drawn = mho_min(n, MHO_CURVES_MAX);
  char title[MHO_CURVES_MAX][MHO_NAME_MAX], caption[256];
  mho_plot plot = {.y_label = "cosine with backprop",
                   .factor = 1,
                   .description = "Cosine of the gradient with that of backpropagation against "
                                  "epoch, for each connection"};

  for (int i = 0; i < drawn; i++) {
    int c = drawn > 1 ? i * (n - 1) / (drawn - 1) : 0;
    const double *cosine = o->cosine + (size_t)c * (size_t)p->d.n_epochs;
    curve_title(o->connection[c], title[i]);
    add_values(&plot, p, title[i], cosine, i % MHO_COLORS + 1, i >= MHO_COLORS);
  }

  snprintf(caption, sizeof caption,
           "Cosine of the gradient with backpropagation's through the same net without feedback, "
           "on the first training batch.%s",
           drawn < n ? " Some of the connections." : "");
  write_plot(p, &plot, caption);
}

static void plot_observables(mho_page *p) {
  const mho_report_observables *o = &p->d.observed;
  plot_observable(p, "spectral radius", "spectral radius", o->spectral_radius, NULL, NULL,
                  "Largest |eigenvalue| of the hidden-to-hidden matrix.");
  plot_observable(p, "Lyapunov exponent (1/step)", "Lyapunov exponent", o->lyapunov, NULL, NULL,
                  "Finite-time maximal Lyapunov exponent of the free phase: below 0 it forgets "
                  "where it started.");
  plot_observable(p, "settling time (steps)", "mean", o->steps_mean, "longest", o->steps_max,
                  "Steps of the synchronous map from rest until it changes by less than 1e-6; "
                  "samples that do not settle are left out.");
  plot_cosines(p);
}

/* ---------------------------------------------------------------- the table */

/* Accuracies and loss. */
static void write_accuracies(FILE *out, const mho_epoch_row *e, bool validation) {
  char t[MHO_NUMBER_MAX];
  mho__html_number(out, "%s", mho__percent(e->train_acc, t));
  if (validation)
    mho__html_number(out, "%s", mho__percent(e->val_acc, t));
  mho__html_number(out, "%s", mho__percent(e->test_acc, t));
  mho__html_number(out, "%s", mho__number(e->loss, 4, t));
}

/* Losses and rms. */
static void write_losses(FILE *out, const mho_epoch_row *e, bool validation) {
  char t[MHO_NUMBER_MAX];
  mho__html_number(out, "%s", mho__number(e->loss, 4, t));
  if (validation)
    mho__html_number(out, "%s", mho__number(e->val_loss, 4, t));
  mho__html_number(out, "%s", mho__number(e->test_loss, 4, t));
  mho__html_number(out, "%s", mho__number(e->test_rms, 4, t));
}

static void write_epoch(FILE *out, const mho_epoch_row *e, bool values, bool validation) {
  char t[MHO_NUMBER_MAX];
  fprintf(out, "<tr><th scope=\"row\" class=\"n\">%d</th>", e->epoch);
  if (values)
    write_losses(out, e, validation);
  else
    write_accuracies(out, e, validation);
  mho__html_number(out, "%s", mho__number(e->settle_steps, 3, t));
  mho__html_number(out, "%s", mho__count((double)e->unsettled, t));
  mho__html_number(out, "%s", mho__count(e->pulses, t));
  mho__html_number(out, "%s", mho__count(e->clipped, t));
  mho__html_number(out, "%s", mho__duration(e->wall_s, t));
  mho__html_number(out, "%s", mho__duration(e->eval_s, t));
  fputs("</tr>\n", out);
}

/* Every stride-th epoch, and always the last. */
static void write_epochs(const mho_page *p) {
  const mho_report_data *d = &p->d;
  int n = d->n_epochs, stride = (n + EPOCHS_SHOWN - 1) / EPOCHS_SHOWN;
  bool values = mho__report_has_values(d);
  bool validation = mho__report_has(d, values ? MHO_EPOCH_AT(val_loss) : MHO_EPOCH_AT(val_acc));
  char heads[192];

  snprintf(heads, sizeof heads,
           "#epoch|%s|%s%s|#steps|#unsettled|#pulses|#clipped|#train time|#eval time",
           values ? "#training loss" : "#training", validation ? "#validation|" : "",
           values ? "#test loss|#test rms" : "#test|#loss (nat)");

  fputs("<details>\n<summary>The numbers of ", p->out);
  if (stride > 1)
    fprintf(p->out, "one of every %d epochs</summary>\n", stride);
  else
    fputs("every epoch</summary>\n", p->out);

  mho__html_table_begin(p->out, NULL, "Epochs", heads);
  fputs("<tbody>\n", p->out);
  for (int i = 0; i < n - stride; i += stride)
    write_epoch(p->out, &d->epoch[i], values, validation);
  write_epoch(p->out, &d->epoch[n - 1], values, validation);
  fputs("</tbody>\n", p->out);
  mho__html_table_end(p->out);
  fputs("</details>\n", p->out);
}

void mho__page_curves(mho_page *p) {
  fputs("<section>\n<h2>Learning curves</h2>\n", p->out);
  if (p->d.n_epochs == 0) {
    fputs("<p>No epoch is stored yet.</p>\n</section>\n", p->out);
    return;
  }

  fputs("<div class=\"plots\">\n", p->out);
  if (mho__report_has_values(&p->d))
    plot_rms(p);
  else
    plot_accuracy(p);
  plot_loss(p);
  plot_pulses(p);
  plot_observables(p);
  fputs("</div>\n", p->out);
  write_epochs(p);
  fputs("</section>\n", p->out);
}
