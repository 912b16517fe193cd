/* crossbar_plots.c - the conductances of a run's crossbars, drawn.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/crossbar_plots.h"

#include "report/answer.h"

enum { PLOT_HEIGHT = 320, CROSSBARS_MAX = 6 };

static const char *const line_styles[] = {MHO_PLOT_COLOR_1, MHO_PLOT_COLOR_3, MHO_PLOT_COLOR_2};

/* ---------------------------------------------------------------- against the epoch */

/* Columns of the query. */
enum { NAME, EPOCH, G_MEAN, G_STD, SATURATED };

typedef struct crossbars {
  const mho_answer *a; /* crossbar by crossbar */
  bool saturation;     /* drawn are saturated cells, else conductances */
} crossbars;

/* "epoch share" of saturated cells, or "epoch mean low high" of conductances. */
static void print_point(FILE *f, const crossbars *c, int record) {
  double epoch = mho__answer_number(c->a, record, EPOCH);
  if (c->saturation) {
    fprintf(f, "%g %.6g\n", epoch, 100 * mho__answer_number(c->a, record, SATURATED));
    return;
  }
  double mean = mho__answer_number(c->a, record, G_MEAN);
  double std = mho__answer_number(c->a, record, G_STD);
  fprintf(f, "%g %.6g %.6g %.6g\n", epoch, 1e6 * mean, 1e6 * (mean - std), 1e6 * (mean + std));
}

static void print_axes(FILE *f, const crossbars *c, int n) {
  const char *quantity = c->saturation ? "cells at a bound (%)" : "conductance (uS)";
  fprintf(f,
          "set grid y\nset xlabel 'epoch'\nset format x '%%.0f'\nset ylabel '%s'\n"
          "set key outside top center horizontal maxrows %d samplen 2\n"
          "set offsets 0.3, 0.3, 0, 0\n",
          quantity, n > 3 ? 2 : 1);
  if (c->saturation)
    fputs("set yrange [0:*]\n", f);
  if (mho__answer_few_epochs(c->a, EPOCH))
    fputs("set xtics 1\n", f);
}

/* Crossbars of the same epoch stand a little apart, so that their bars do not hide each other. */
static void print_curve(FILE *f, const crossbars *c, int n, const char *name) {
  const char *style = line_styles[n % MHO_COLORS];
  int dash = 1 + n / MHO_COLORS;

  if (c->saturation)
    fprintf(f, "$d%d using 1:2 with lines %s linewidth 2 dashtype %d title '%s'", n, style, dash,
            name);
  else
    fprintf(f,
            "$d%d using ($1+%g):2:3:4 with yerrorlines pointtype 7 pointsize 0.4 %s linewidth 1.5 "
            "dashtype %d title '%s'",
            n, 0.08 * n, style, dash, name);
}

static void script_crossbars(FILE *f, const void *user) {
  const crossbars *c = user;
  int drawn = mho_min(mho__answer_groups(c->a), CROSSBARS_MAX);
  int at = 0;

  for (int n = 0; n < drawn; n++) {
    int end = mho__answer_group_end(c->a, at);
    fprintf(f, "$d%d << EOD\n", n);
    for (; at < end; at++)
      print_point(f, c, at);
    fputs("EOD\n", f);
  }

  print_axes(f, c, drawn);
  fputs("plot ", f);
  at = 0;
  for (int n = 0; n < drawn; n++) {
    char name[32];
    mho__gnuplot_text(mho__answer_text(c->a, at, NAME), name, sizeof name);
    fputs(n ? ", " : "", f);
    print_curve(f, c, n, name);
    at = mho__answer_group_end(c->a, at);
  }
  fputc('\n', f);
}

static mho_err plot_epochs(mho_figures *figures, mho_store *store, const char *run_id,
                           const char *whose, mho_errinfo *ei) {
  static const char sql[] =
      "SELECT name, epoch, g_mean, g_std, saturated FROM layer_epoch "
      "WHERE run_id = ?1 AND g_mean IS NOT NULL AND layer < 6 AND (epoch % "
      "(1 + (SELECT max(epoch) FROM layer_epoch WHERE run_id = ?1) / 100) = 0 OR epoch = 1) "
      "ORDER BY layer, epoch";
  mho_answer a;
  mho_err err = mho__answer_read(store, sql, 1, &run_id, &a, ei);
  if (err)
    return err;

  char caption[256];
  crossbars conductance = {&a, false}, saturation = {&a, true};
  if (a.n) {
    snprintf(caption, sizeof caption,
             "%sConductances of each crossbar, mean and standard deviation over its cells.", whose);
    mho__figure(figures, script_crossbars, &conductance, PLOT_HEIGHT,
                "Conductance of each crossbar against epoch", caption);
    snprintf(caption, sizeof caption, "%sCells at a bound of their conductance.", whose);
    mho__figure(figures, script_crossbars, &saturation, PLOT_HEIGHT,
                "Saturated cells of each crossbar against epoch", caption);
  }
  mho__answer_free(&a);
  return MHO_OK;
}

/* ---------------------------------------------------------------- histograms */

/* The answer has name, conductance, share after the last epoch and after the first; crossbar by
 * crossbar. */
static void script_histograms(FILE *f, const void *user) {
  const mho_answer *a = user;
  int drawn = mho_min(mho__answer_groups(a), CROSSBARS_MAX);
  int at = 0;

  for (int n = 0; n < drawn; n++) {
    int end = mho__answer_group_end(a, at);
    fprintf(f, "$d%d << EOD\n", n);
    for (; at < end; at++)
      fprintf(f, "%.6g %.6g %.6g\n", mho__answer_number(a, at, 1), mho__answer_number(a, at, 2),
              mho__answer_number(a, at, 3));
    fputs("EOD\n", f);
  }

  fprintf(f,
          "set grid y\nset xlabel 'conductance (uS)'\nset ylabel 'cells (%%)'\nset yrange [0:*]\n"
          "set key outside top center horizontal maxrows %d samplen 2\nplot ",
          drawn > 3 ? 2 : 1);
  at = 0;
  for (int n = 0; n < drawn; n++) {
    const char *style = line_styles[n % MHO_COLORS];
    char name[32];
    mho__gnuplot_text(mho__answer_text(a, at, 0), name, sizeof name);
    fprintf(f,
            "%s$d%d using 1:3 with histeps %s linewidth 1 dashtype 3 notitle, "
            "$d%d using 1:2 with histeps %s linewidth 2 dashtype %d title '%s'",
            n ? ", " : "", n, style, n, style, 1 + n / MHO_COLORS, name);
    at = mho__answer_group_end(a, at);
  }
  fputc('\n', f);
}

/* The histograms are shares in percent of all devices: a pair has two, hence 50 and not 100. */
static mho_err plot_histograms(mho_figures *figures, mho_store *store, const char *run_id,
                               const char *whose, mho_errinfo *ei) {
  static const char sql[] =
      "SELECT l.name, 1e6 * (json_extract(config, '$.device.g_min') + "
      "(j.key + 0.5) / json_array_length(l.g_hist) * "
      "(json_extract(config, '$.device.g_max') - json_extract(config, '$.device.g_min'))), "
      "50.0 * j.value / (l.rows * l.cols), "
      "50.0 * json_extract(f.g_hist, '$[' || j.key || ']') / (l.rows * l.cols) "
      "FROM run JOIN layer_epoch AS l ON l.run_id = run.id "
      "JOIN layer_epoch AS f ON f.run_id = run.id AND f.layer = l.layer AND f.epoch = "
      "(SELECT min(epoch) FROM layer_epoch WHERE run_id = ?1 AND g_hist IS NOT NULL), "
      "json_each(l.g_hist) AS j WHERE run.id = ?1 "
      "AND l.epoch = (SELECT max(epoch) FROM layer_epoch WHERE run_id = ?1) "
      "ORDER BY l.layer, j.key";

  mho_answer a;
  mho_err err = mho__answer_read(store, sql, 1, &run_id, &a, ei);
  if (err)
    return err;

  if (a.n) {
    char caption[256];
    snprintf(caption, sizeof caption,
             "%sHistogram of the conductances of each crossbar, both devices of every pair; dotted "
             "after the first epoch, solid after the last.",
             whose);
    mho__figure(figures, script_histograms, &a, PLOT_HEIGHT,
                "Histogram of the conductances of each crossbar", caption);
  }
  mho__answer_free(&a);
  return MHO_OK;
}

mho_err mho__crossbar_plots(mho_figures *figures, mho_store *store, const char *run_id,
                            const char *whose, mho_errinfo *ei) {
  mho_err err = plot_epochs(figures, store, run_id, whose, ei);
  if (!err)
    err = plot_histograms(figures, store, run_id, whose, ei);
  return err;
}
