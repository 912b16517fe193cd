/* study_plots.c - the figures of a study's report, drawn by gnuplot.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/html.h"
#include "report/plot.h"
#include "report/study_page.h"

enum { PLOT_HEIGHT = 320, POINTS_DRAWN = 2000 };

static const char *const line_styles[] = {MHO_PLOT_COLOR_1, MHO_PLOT_COLOR_3, MHO_PLOT_COLOR_2};

/* A text for gnuplot: what could mean something to it becomes a blank. */
static void plain(const char *text, char *out, size_t n) {
  snprintf(out, n, "%s", text);
  for (char *c = out; *c; c++)
    if ((unsigned char)*c < ' ' || (unsigned char)*c > '~' || strchr("'\"`\\{}$@", *c))
      *c = ' ';
}

static void figure(study_page *p, mho_plot_script script, const void *user, int height,
                   const char *description, const char *caption) {
  mho_errinfo why = {0};
  if (*p->no_plots)
    return;
  fputs("<figure>\n", p->out);
  if (mho_plot_draw(script, user, height, description, p->out, &why)) {
    snprintf(p->no_plots, sizeof p->no_plots, "%s", why.message);
    mho_log(p->ctx, MHO_LOG_WARNING, "the report has no plots: %s", why.message);
    fputs("<p class=\"alert\">No plots: ", p->out);
    mho_html_text(p->out, why.message);
    fputs(". Install gnuplot and write the report again.</p>\n", p->out);
  }
  fputs("<figcaption>", p->out);
  mho_html_text(p->out, caption);
  fputs("</figcaption>\n</figure>\n", p->out);
}

/* ---------------------------------------------------------------- learning curves */

typedef struct curves {
  const mho_answer *r; /* level, epoch, mean, least, greatest; level by level */
  char key[64];
} curves;

/* Ticks at whole epochs: gnuplot finds its own where there are many. */
static bool few_epochs(const mho_answer *r) {
  for (int i = 0; i < r->n; i++)
    if (mho_answer_number(r, i, 1) > 9)
      return false;
  return true;
}

static int level_ends(const mho_answer *r, int start) {
  int i = start;
  while (i < r->n && !strcmp(mho_answer_text(r, i, 0), mho_answer_text(r, start, 0)))
    i++;
  return i;
}

static void script_curves(FILE *f, const void *user) {
  const curves *c = user;
  int n = 0;
  for (int i = 0; i < c->r->n; i = level_ends(c->r, i)) {
    fprintf(f, "$d%d << EOD\n", n++);
    for (int k = i; k < level_ends(c->r, i); k++)
      fprintf(f, "%g %.7g\n", mho_answer_number(c->r, k, 1), 100 * mho_answer_number(c->r, k, 2));
    fputs("EOD\n", f);
  }
  fprintf(
      f,
      "set grid y\nset xlabel 'epoch'\nset ylabel 'test accuracy (%%)'\nset key outside top center "
      "horizontal "
      "maxrows %d samplen 2\nset format x '%%.0f'\n%splot ",
      n > 3 ? 2 : 1, few_epochs(c->r) ? "set xtics 1\n" : "");
  n = 0;
  for (int i = 0; i < c->r->n; i = level_ends(c->r, i), n++) {
    char level[32];
    plain(mho_answer_text(c->r, i, 0), level, sizeof level);
    fprintf(f, "%s$d%d using 1:2 with lines %s linewidth 2 dashtype %d title '%s'", n ? ", " : "",
            n, line_styles[n % 3], 1 + n / 3, level);
  }
  fputc('\n', f);
}

mho_err study_plot_curves(study_page *p, mho_errinfo *ei) {
  /* a key of many levels would fill the plot with lines: it is cut at six of them */
  static const char by_key[] =
      "SELECT json_extract(config, '$.' || ?2) AS level, epoch, avg(test_acc), "
      "min(test_acc), max(test_acc) FROM "
      "study_run AS s JOIN run ON run.id = s.run_id JOIN epoch AS e ON e.run_id = "
      "run.id WHERE s.study = ?1 AND status = "
      "'completed' GROUP BY level, epoch ORDER BY level, epoch";
  static const char all[] =
      "SELECT 'mean of all runs' || substr(?2, 1, 0), epoch, avg(test_acc), "
      "min(test_acc), max(test_acc) FROM study_run "
      "AS s JOIN run ON run.id = s.run_id JOIN epoch AS e ON e.run_id = run.id WHERE "
      "s.study = ?1 AND status = "
      "'completed' GROUP BY epoch";
  curves c;
  mho_answer r;
  char caption[256];
  bool few = p->sensitivity.n > 0 && mho_answer_number(&p->sensitivity, 0, 1) <= 6;
  const char *key = p->sensitivity.n > 0 ? mho_answer_text(&p->sensitivity, 0, 0) : "";
  mho_err err = study_answer(p, few ? by_key : all, key, NULL, &r, ei);
  if (err)
    return err;
  c = (curves){.r = &r};
  if (few)
    snprintf(caption, sizeof caption,
             "Learning curves: mean test accuracy after each epoch, by %s.", key);
  else
    snprintf(caption, sizeof caption,
             "Learning curve: mean test accuracy of all completed runs after each epoch.");
  if (r.n)
    figure(p, script_curves, &c, PLOT_HEIGHT, caption, caption);
  mho_answer_free(&r);
  return MHO_OK;
}

/* ---------------------------------------------------------------- sensitivity */

static void script_sensitivity(FILE *f, const void *user) {
  const mho_answer *r = user;
  int n = r->n < 8 ? r->n : 8;
  fputs("$d << EOD\n", f);
  for (int i = 0; i < n; i++) {
    double share = mho_answer_number(r, i, 2);
    fprintf(f, "0 %d %.5g\n", n - i, isfinite(share) ? share : 0);
  }
  fputs(
      "EOD\nunset key\nset border 1\nset grid x\nset xlabel 'share of the variance of accuracy (%)'\nset "
      "ytics (",
      f);
  for (int i = 0; i < n; i++) {
    char key[64];
    plain(mho_answer_text(r, i, 0), key, sizeof key);
    fprintf(f, "%s'%s' %d", i ? ", " : "", key, n - i);
  }
  fprintf(f,
          ")\nset yrange [0.4:%d.6]\nset xrange [0:*]\nset style fill solid\n"
          "plot $d using (($3)/2):2:(($3)/2):(0.3) with boxxyerror " MHO_PLOT_COLOR_1 "\n",
          n);
}

mho_err study_plot_sensitivity(study_page *p, mho_errinfo *ei) {
  if (p->sensitivity.n > 0) {
    int n = p->sensitivity.n < 8 ? p->sensitivity.n : 8;
    figure(
        p, script_sensitivity, &p->sensitivity, 110 + 34 * n,
        "Share of the variance of accuracy that each key explains",
        "Sensitivity: the share of the variance of accuracy over the study that each key explains alone "
        "(omega^2, "
        "corrected for chance). What is missing to 100 % are interactions and the seeds; the table has "
        "intervals.");
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- boxes */

typedef struct box {
  char label[48];
  int n;
  double v[5]; /* least, quartiles, greatest */
} box;
typedef struct boxes {
  int n;
  box at[STUDY_LEVELS];
  char key[64];
} boxes;

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(const double *v, int n, double q) {
  double at = q * (n - 1);
  int i = (int)at;
  return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[n - 1];
}

/* Rows first .. end-1 of (level, accuracy) as one box. */
static mho_err make_box(const mho_answer *r, int first, int end, box *out, mho_errinfo *ei) {
  double *v = malloc((size_t)(end - first) * sizeof *v);
  int n = 0;
  if (!v)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the report");
  for (int i = first; i < end; i++)
    if (isfinite(mho_answer_number(r, i, 1)))
      v[n++] = 100 * mho_answer_number(r, i, 1);
  if (n > 0) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    for (int k = 0; k < 5; k++)
      out->v[k] = quantile(v, n, k / 4.0);
  }
  out->n = n;
  free(v);
  return MHO_OK;
}

static void script_boxes(FILE *f, const void *user) {
  const boxes *b = user;
  fputs("$d << EOD\n", f);
  for (int i = 0; i < b->n; i++)
    fprintf(f, "%d %.6g %.6g %.6g %.6g %.6g\n", i + 1, b->at[i].v[1], b->at[i].v[0], b->at[i].v[4],
            b->at[i].v[3], b->at[i].v[2]);
  fputs(
      "EOD\nunset key\nset grid y\nset ylabel 'test accuracy (%)'\nset boxwidth 0.5\nset xtics rotate by "
      "-35 (",
      f);
  for (int i = 0; i < b->n; i++)
    fprintf(f, "%s'%s' %d", i ? ", " : "", b->at[i].label, i + 1);
  fprintf(f,
          ")\nset xlabel '%s'\nset xrange [0.4:%d.6]\n"
          "plot $d using 1:2:3:4:5 with candlesticks " MHO_PLOT_COLOR_1
          " linewidth 1.5 whiskerbars 0.5, "
          "$d using 1:6:6:6:6 with candlesticks " MHO_PLOT_COLOR_3 " linewidth 3\n",
          b->key, b->n);
}

static mho_err boxes_of(study_page *p, const char *key, mho_errinfo *ei) {
  static const char sql[] =
      "SELECT json_extract(config, '$.' || ?2) AS level, final_test_acc FROM study_run AS s JOIN run "
      "ON run.id = s.run_id WHERE s.study = ?1 AND status = 'completed' ORDER BY level";
  mho_answer r;
  boxes b = {.n = 0};
  mho_err err = study_answer(p, sql, key, NULL, &r, ei);
  if (err)
    return err;
  int levels = 0;
  for (int i = 0; i < r.n; i = level_ends(&r, i))
    levels++;
  plain(key, b.key, sizeof b.key);
  if (levels >= 2 && levels <= STUDY_LEVELS) {
    for (int i = 0; i < r.n && !err; i = level_ends(&r, i)) {
      plain(mho_answer_text(&r, i, 0), b.at[b.n].label, 24);
      err = make_box(&r, i, level_ends(&r, i), &b.at[b.n++], ei);
    }
  } else if (levels > STUDY_LEVELS) { /* six parts with as many runs each */
    for (int k = 0; k < 6 && !err; k++) {
      int first = r.n * k / 6, end = r.n * (k + 1) / 6;
      double low = mho_answer_number(&r, first, 0), high = mho_answer_number(&r, end - 1, 0);
      if (isfinite(low))
        snprintf(b.at[k].label, sizeof b.at[k].label, "%.2g..%.2g", low, high);
      else
        snprintf(b.at[k].label, sizeof b.at[k].label, "part %d", k + 1);
      err = make_box(&r, first, end, &b.at[b.n++], ei);
    }
  }
  if (!err && b.n) {
    char caption[320];
    snprintf(
        caption, sizeof caption,
        "Test accuracy by %.100s, over seeds and all other keys: box of the quartiles with the median, "
        "whiskers to "
        "the least and the greatest.",
        key);
    figure(p, script_boxes, &b, PLOT_HEIGHT + 30, caption, caption);
  }
  mho_answer_free(&r);
  return err;
}

mho_err study_plot_boxes(study_page *p, mho_errinfo *ei) {
  mho_err err = MHO_OK;
  for (int i = 0; i < p->sensitivity.n && i < 4 && !err; i++)
    err = boxes_of(p, mho_answer_text(&p->sensitivity, i, 0), ei);
  return err;
}

/* ---------------------------------------------------------------- Pareto */

typedef struct pareto {
  const mho_answer *r; /* cost, accuracy of every point; cost ascends */
  const char *label;
} pareto;

static void script_pareto(FILE *f, const void *user) {
  const pareto *p = user;
  double best = -1;
  fputs("$d << EOD\n", f);
  for (int i = 0; i < p->r->n && i < POINTS_DRAWN; i++)
    fprintf(f, "%.7g %.6g\n", mho_answer_number(p->r, i, 0), 100 * mho_answer_number(p->r, i, 1));
  fputs("EOD\n$front << EOD\n", f);
  for (int i = 0; i < p->r->n; i++) {
    double acc = mho_answer_number(p->r, i, 1);
    if (acc > best)
      fprintf(f, "%.7g %.6g\n", mho_answer_number(p->r, i, 0), 100 * acc);
    best = fmax(best, acc);
  }
  fprintf(
      f,
      "EOD\nset grid y\nset key outside top center horizontal samplen 2\nset logscale x\nset format x "
      "'10^{%%T}'\n"
      "set format x '%%.0e'\nset xlabel '%s'\nset ylabel 'test accuracy (%%)'\n"
      "plot $d using 1:2 with points pointtype 7 pointsize 0.5 " MHO_PLOT_COLOR_2
      " title 'grid point', $front using 1:2 "
      "with linespoints pointtype 7 pointsize 0.6 " MHO_PLOT_COLOR_1 " linewidth 2 title 'front'\n",
      p->label);
}

mho_err study_plot_pareto(study_page *p, mho_errinfo *ei) {
  static const char *const sql[] = {
      "SELECT avg(energy_j) AS cost, avg(final_test_acc) FROM study_run AS s JOIN run ON run.id = s.run_id "
      "WHERE s.study = "
      "?1 AND status = 'completed' GROUP BY s.point_hash HAVING cost > 0 ORDER BY cost, 2 DESC",
      "SELECT avg(pulses) AS cost, avg(final_test_acc) FROM study_run AS s JOIN run ON run.id = s.run_id "
      "WHERE s.study = "
      "?1 AND status = 'completed' GROUP BY s.point_hash HAVING cost > 0 ORDER BY cost, 2 DESC"};
  static const char *const labels[] = {"energy (J)", "programming pulses"};
  for (int i = 0; i < 2; i++) {
    mho_answer r;
    mho_err err = study_answer(p, sql[i], NULL, NULL, &r, ei);
    if (err)
      return err;
    pareto d = {&r, labels[i]};
    bool drawn = r.n > 1;
    if (drawn)
      figure(
          p, script_pareto, &d, PLOT_HEIGHT, "Test accuracy against cost of every grid point",
          i ? "Test accuracy against programming pulses, and the Pareto front: no point has more accuracy "
              "for fewer "
              "pulses. (Energy is not modelled in these runs.)"
            : "Test accuracy against energy, and the Pareto front: no point has more accuracy for less "
              "energy.");
    mho_answer_free(&r);
    if (drawn)
      return MHO_OK;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- crossbars of the best run */

typedef struct layers {
  const mho_answer *r; /* name, epoch, mean, spread, saturated; name by name */
  bool saturation;
} layers;

static void script_layers(FILE *f, const void *user) {
  const layers *l = user;
  int n = 0;
  for (int i = 0; i < l->r->n && n < 6; i = level_ends(l->r, i)) {
    fprintf(f, "$d%d << EOD\n", n++);
    for (int k = i; k < level_ends(l->r, i); k++)
      if (l->saturation)
        fprintf(f, "%g %.6g\n", mho_answer_number(l->r, k, 1), 100 * mho_answer_number(l->r, k, 4));
      else
        fprintf(f, "%g %.6g %.6g %.6g\n", mho_answer_number(l->r, k, 1),
                1e6 * mho_answer_number(l->r, k, 2),
                1e6 * (mho_answer_number(l->r, k, 2) - mho_answer_number(l->r, k, 3)),
                1e6 * (mho_answer_number(l->r, k, 2) + mho_answer_number(l->r, k, 3)));
    fputs("EOD\n", f);
  }
  fprintf(
      f,
      "set grid y\nset xlabel 'epoch'\nset format x '%%.0f'\nset ylabel '%s'\nset key outside top center "
      "horizontal "
      "maxrows %d samplen 2\nset offsets 0.3, 0.3, 0, 0\n%s%splot ",
      l->saturation ? "cells at a bound (%)" : "conductance (uS)", n > 3 ? 2 : 1,
      l->saturation ? "set yrange [0:*]\n" : "", few_epochs(l->r) ? "set xtics 1\n" : "");
  n = 0;
  for (int i = 0; i < l->r->n && n < 6; i = level_ends(l->r, i), n++) {
    char name[32];
    plain(mho_answer_text(l->r, i, 0), name, sizeof name);
    if (l->saturation)
      fprintf(f, "%s$d%d using 1:2 with lines %s linewidth 2 dashtype %d title '%s'", n ? ", " : "",
              n, line_styles[n % 3], 1 + n / 3, name);
    else
      fprintf(
          f,
          "%s$d%d using ($1+%g):2:3:4 with yerrorlines pointtype 7 pointsize 0.4 %s linewidth 1.5 "
          "dashtype %d title "
          "'%s'",
          n ? ", " : "", n, 0.08 * n, line_styles[n % 3], 1 + n / 3, name);
  }
  fputc('\n', f);
}

static void script_histograms(FILE *f, const void *user) {
  const mho_answer *r =
      user; /* name, conductance, share after the last epoch, after the first; name by name */
  int n = 0;
  for (int i = 0; i < r->n && n < 6; i = level_ends(r, i)) {
    fprintf(f, "$d%d << EOD\n", n++);
    for (int k = i; k < level_ends(r, i); k++)
      fprintf(f, "%.6g %.6g %.6g\n", mho_answer_number(r, k, 1), mho_answer_number(r, k, 2),
              mho_answer_number(r, k, 3));
    fputs("EOD\n", f);
  }
  fprintf(
      f,
      "set grid y\nset xlabel 'conductance (uS)'\nset ylabel 'cells (%%)'\nset yrange [0:*]\nset key "
      "outside top "
      "center horizontal maxrows %d samplen 2\nplot ",
      n > 3 ? 2 : 1);
  n = 0;
  for (int i = 0; i < r->n && n < 6; i = level_ends(r, i), n++) {
    char name[32];
    plain(mho_answer_text(r, i, 0), name, sizeof name);
    fprintf(
        f,
        "%s$d%d using 1:3 with histeps %s linewidth 1 dashtype 3 notitle, $d%d using 1:2 with histeps %s "
        "linewidth "
        "2 dashtype %d title '%s'",
        n ? ", " : "", n, line_styles[n % 3], n, line_styles[n % 3], 1 + n / 3, name);
  }
  fputc('\n', f);
}

static mho_err plot_histograms(study_page *p, mho_errinfo *ei) {
  mho_answer r;
  char caption[256];
  mho_err err = study_answer(
      p,
      "SELECT l.name, 1e6 * (json_extract(config, '$.device.g_min') + (j.key + 0.5) / "
      "json_array_length(l.g_hist) * "
      "(json_extract(config, '$.device.g_max') - json_extract(config, '$.device.g_min'))), 50.0 * j.value / "
      "(l.rows * l.cols), "
      "50.0 * json_extract(f.g_hist, '$[' || j.key || ']') / (l.rows * l.cols) FROM run JOIN layer_epoch AS "
      "l ON l.run_id = "
      "run.id JOIN layer_epoch AS f ON f.run_id = run.id AND f.layer = l.layer AND f.epoch = (SELECT "
      "min(epoch) FROM "
      "layer_epoch WHERE run_id = ?2 AND g_hist IS NOT NULL), json_each(l.g_hist) AS j WHERE run.id = ?2 AND "
      "?1 IS NOT NULL "
      "AND l.epoch = (SELECT max(epoch) FROM layer_epoch WHERE run_id = ?2) ORDER BY l.layer, j.key",
      p->best, NULL, &r, ei);
  if (err)
    return err;
  if (r.n) {
    snprintf(
        caption, sizeof caption,
        "%sHistogram of the conductances of each crossbar, both devices of every pair; dotted after the "
        "first epoch, "
        "solid after the last.",
        p->whose);
    figure(p, script_histograms, &r, PLOT_HEIGHT, "Histogram of the conductances of each crossbar",
           caption);
  }
  mho_answer_free(&r);
  return MHO_OK;
}

mho_err study_plot_layers(study_page *p, mho_errinfo *ei) {
  mho_answer r;
  mho_err err = study_answer(
      p,
      "SELECT name, epoch, g_mean, g_std, saturated FROM layer_epoch WHERE run_id = ?2 AND g_mean IS "
      "NOT NULL AND ?1 IS NOT NULL AND layer < 6 AND (epoch % (1 + (SELECT max(epoch) FROM layer_epoch WHERE "
      "run_id = ?2) / "
      "100) = 0 OR epoch = 1) ORDER BY layer, epoch",
      p->best, NULL, &r, ei);
  if (err)
    return err;
  char caption[256];
  layers conductance = {&r, false}, saturation = {&r, true};
  if (r.n) {
    snprintf(caption, sizeof caption,
             "%sConductances of each crossbar, mean and standard deviation over its cells.",
             p->whose);
    figure(p, script_layers, &conductance, PLOT_HEIGHT,
           "Conductance of each crossbar against epoch", caption);
    snprintf(caption, sizeof caption, "%sCells at a bound of their conductance.", p->whose);
    figure(p, script_layers, &saturation, PLOT_HEIGHT,
           "Saturated cells of each crossbar against epoch", caption);
  }
  mho_answer_free(&r);
  return plot_histograms(p, ei);
}

/* ---------------------------------------------------------------- ngspice */

static void script_cosim(FILE *f, const void *user) {
  const mho_answer *r = user;
  fputs("$d << EOD\n", f);
  for (int i = 0; i < r->n && i < POINTS_DRAWN; i++) {
    double v = mho_answer_number(r, i, 4), t = mho_answer_number(r, i, 6);
    fprintf(f, "%.5g %.5g\n", isfinite(t) && t > 0 ? t : 1e-6, isfinite(v) && v > 0 ? v : 1e-16);
  }
  fputs(
      "EOD\nset grid\nset logscale xy\nset format '%.0e'\nset xlabel 'tolerance'\nset ylabel 'largest "
      "relative "
      "difference'\nset key outside top center horizontal samplen 2\nset xrange [*:*]\n"
      "plot $d using 1:2 with points pointtype 7 pointsize 0.7 " MHO_PLOT_COLOR_1
      " title 'check', x with lines " MHO_PLOT_COLOR_3 " title 'allowed'\n",
      f);
}

mho_err study_plot_cosim(study_page *p, const mho_answer *cosim, mho_errinfo *ei) {
  if (cosim->n)
    figure(
        p, script_cosim, cosim, PLOT_HEIGHT,
        "Differences between ngspice and the core, against their tolerance",
        "Every co-simulated quantity of the study: the largest difference between ngspice and the core, "
        "and what was "
        "allowed. Points below the line pass.");
  return MHO_OK;
}
