/* study_plots.c - the figures of a study's report, drawn by gnuplot.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "report/study_page.h"

enum { PLOT_HEIGHT = 320, POINTS_DRAWN = 2000, KEYS_DRAWN = 8, BOXED_KEYS = 4, SLICES = 6 };

static const char *const line_styles[] = {MHO_PLOT_COLOR_1, MHO_PLOT_COLOR_3, MHO_PLOT_COLOR_2};

/* ---------------------------------------------------------------- learning curves */

/* What a script draws, and by what score. */
typedef struct scored {
  const mho_answer *a;
  const study_score *score;
} scored;

/* The answer has level, epoch, mean; level by level. */
static void script_curves(FILE *f, const void *user) {
  const scored *d = user;
  const mho_answer *a = d->a;
  int levels = mho__answer_groups(a), at = 0;

  for (int n = 0; n < levels; n++) {
    int end = mho__answer_group_end(a, at);
    fprintf(f, "$d%d << EOD\n", n);
    for (; at < end; at++)
      fprintf(f, "%g %.7g\n", mho__answer_number(a, at, 1),
              d->score->factor * mho__answer_number(a, at, 2));
    fputs("EOD\n", f);
  }

  fprintf(f,
          "set grid y\nset xlabel 'epoch'\nset ylabel '%s'\n"
          "set key outside top center horizontal maxrows %d samplen 2\nset format x '%%.0f'\n"
          "%splot ",
          d->score->axis, levels > 3 ? 2 : 1, mho__answer_few_epochs(a, 1) ? "set xtics 1\n" : "");
  at = 0;
  for (int n = 0; n < levels; n++) {
    char level[32];
    mho__gnuplot_text(mho__answer_text(a, at, 0), level, sizeof level);
    fprintf(f, "%s$d%d using 1:2 with lines %s linewidth 2 dashtype %d title '%s'", n ? ", " : "",
            n, line_styles[n % MHO_COLORS], 1 + n / MHO_COLORS, level);
    at = mho__answer_group_end(a, at);
  }
  fputc('\n', f);
}

mho_err mho__study_plot_curves(study_page *p, mho_errinfo *ei) {
  static const char by_key[] =
      "SELECT json_extract(config, '$.' || ?2) AS level, epoch, avg(%s) "
      "FROM study_run AS s JOIN run ON run.id = s.run_id "
      "JOIN epoch AS e ON e.run_id = run.id WHERE s.study = ?1 AND status = 'completed' "
      "GROUP BY level, epoch ORDER BY level, epoch";
  static const char all[] =
      "SELECT 'mean of all runs' || substr(?2, 1, 0), epoch, avg(%s) "
      "FROM study_run AS s JOIN run ON run.id = s.run_id "
      "JOIN epoch AS e ON e.run_id = run.id WHERE s.study = ?1 AND status = 'completed' "
      "GROUP BY epoch";

  /* a key of many levels would fill the plot with lines: then it is one, of all runs */
  bool few = p->sensitivity.n > 0 && mho__answer_number(&p->sensitivity, 0, 1) <= 6;
  const char *key = p->sensitivity.n > 0 ? mho__answer_text(&p->sensitivity, 0, 0) : "";
  char sql[sizeof by_key + 32];
  snprintf(sql, sizeof sql, few ? by_key : all, p->score->epoch);

  mho_answer a;
  mho_err err = mho__study_answer(p, sql, key, NULL, &a, ei);
  if (err)
    return err;

  char caption[256];
  if (few)
    snprintf(caption, sizeof caption, "Learning curves: mean %s after each epoch, by %s.",
             p->score->name, key);
  else
    snprintf(caption, sizeof caption,
             "Learning curve: mean %s of all completed runs after each epoch.", p->score->name);

  scored d = {&a, p->score};
  if (a.n)
    mho__figure(&p->figures, script_curves, &d, PLOT_HEIGHT, caption, caption);
  mho__answer_free(&a);
  return MHO_OK;
}

/* ---------------------------------------------------------------- sensitivity */

/* The answer has the key and its share of the variance in columns 0 and 2. */
static void script_sensitivity(FILE *f, const void *user) {
  const scored *d = user;
  const mho_answer *a = d->a;
  int n = mho_min(a->n, KEYS_DRAWN);

  fputs("$d << EOD\n", f);
  for (int i = 0; i < n; i++) {
    double share = mho__answer_number(a, i, 2);
    fprintf(f, "0 %d %.5g\n", n - i, isfinite(share) ? share : 0);
  }

  fprintf(f, "EOD\nunset key\nset border 1\nset grid x\n"
             "set xlabel 'share of the variance (%%)'\nset ytics (");
  for (int i = 0; i < n; i++) {
    char key[64];
    mho__gnuplot_text(mho__answer_text(a, i, 0), key, sizeof key);
    fprintf(f, "%s'%s' %d", i ? ", " : "", key, n - i);
  }

  fprintf(f,
          ")\nset yrange [0.4:%d.6]\nset xrange [0:*]\nset style fill solid\n"
          "plot $d using (($3)/2):2:(($3)/2):(0.3) with boxxyerror " MHO_PLOT_COLOR_1 "\n",
          n);
}

void mho__study_plot_sensitivity(study_page *p) {
  int n = mho_min(p->sensitivity.n, KEYS_DRAWN);
  scored d = {&p->sensitivity, p->score};
  char description[96], caption[256];
  snprintf(description, sizeof description, "Share of the variance of %s that each key explains",
           p->score->word);
  snprintf(caption, sizeof caption,
           "Sensitivity: the share of the variance of %s over the study that each key explains "
           "alone (omega^2, corrected for chance). What is missing to 100 %% are interactions and "
           "the seeds; the table has intervals.",
           p->score->word);
  if (n > 0)
    mho__figure(&p->figures, script_sensitivity, &d, 110 + 34 * n, description, caption);
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
  const study_score *score;
} boxes;

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Of sorted values, with linear interpolation between two. */
static double quantile(const double *v, int n, double q) {
  double at = q * (n - 1);
  int i = (int)at;
  return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[n - 1];
}

/* Records first .. end-1 of (level, score) as one box. */
static mho_err make_box(const mho_answer *a, int first, int end, double factor, box *out,
                        mho_errinfo *ei) {
  double *v = malloc((size_t)(end - first) * sizeof *v);
  if (!v)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the report");

  int n = 0;
  for (int i = first; i < end; i++) {
    double score = mho__answer_number(a, i, 1);
    if (isfinite(score))
      v[n++] = factor * score;
  }

  if (n > 0) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    for (int k = 0; k < 5; k++)
      out->v[k] = quantile(v, n, k / 4.0);
  }

  out->n = n;
  free(v);
  return MHO_OK;
}

/* A box for each value of the key. */
static mho_err box_levels(const mho_answer *a, int levels, boxes *b, mho_errinfo *ei) {
  int at = 0;
  for (int k = 0; k < levels; k++) {
    int end = mho__answer_group_end(a, at);
    mho__gnuplot_text(mho__answer_text(a, at, 0), b->at[k].label, 24);
    mho_err err = make_box(a, at, end, b->score->factor, &b->at[k], ei);
    if (err)
      return err;
    at = end;
  }

  b->n = levels;
  return MHO_OK;
}

/* Where there are too many values: boxes of as many runs each. */
static mho_err box_slices(const mho_answer *a, boxes *b, mho_errinfo *ei) {
  for (int k = 0; k < SLICES; k++) {
    int first = a->n * k / SLICES, end = a->n * (k + 1) / SLICES;
    double low = mho__answer_number(a, first, 0), high = mho__answer_number(a, end - 1, 0);
    if (isfinite(low))
      snprintf(b->at[k].label, sizeof b->at[k].label, "%.2g..%.2g", low, high);
    else
      snprintf(b->at[k].label, sizeof b->at[k].label, "part %d", k + 1);
    mho_err err = make_box(a, first, end, b->score->factor, &b->at[k], ei);
    if (err)
      return err;
  }

  b->n = SLICES;
  return MHO_OK;
}

static void script_boxes(FILE *f, const void *user) {
  const boxes *b = user;
  fputs("$d << EOD\n", f);
  for (int i = 0; i < b->n; i++) {
    const double *v = b->at[i].v;
    fprintf(f, "%d %.6g %.6g %.6g %.6g %.6g\n", i + 1, v[1], v[0], v[4], v[3], v[2]);
  }

  fprintf(f,
          "EOD\nunset key\nset grid y\nset ylabel '%s'\nset boxwidth 0.5\n"
          "set xtics rotate by -35 (",
          b->score->axis);
  for (int i = 0; i < b->n; i++)
    fprintf(f, "%s'%s' %d", i ? ", " : "", b->at[i].label, i + 1);
  fprintf(f,
          ")\nset xlabel '%s'\nset xrange [0.4:%d.6]\n"
          "plot $d using 1:2:3:4:5 with candlesticks " MHO_PLOT_COLOR_1
          " linewidth 1.5 whiskerbars 0.5, "
          "$d using 1:6:6:6:6 with candlesticks " MHO_PLOT_COLOR_3 " linewidth 3\n",
          b->key, b->n);
}

static mho_err plot_boxes_of(study_page *p, const char *key, mho_errinfo *ei) {
  static const char format[] = "SELECT json_extract(config, '$.' || ?2) AS level, %s "
                               "FROM study_run AS s JOIN run ON run.id = s.run_id "
                               "WHERE s.study = ?1 AND status = 'completed' ORDER BY level";
  char sql[sizeof format + 32];
  snprintf(sql, sizeof sql, format, p->score->run);
  mho_answer a;
  mho_err err = mho__study_answer(p, sql, key, NULL, &a, ei);
  if (err)
    return err;

  boxes b = {.score = p->score};
  int levels = mho__answer_groups(&a);
  mho__gnuplot_text(key, b.key, sizeof b.key);
  if (levels > STUDY_LEVELS)
    err = box_slices(&a, &b, ei);
  else if (levels >= 2)
    err = box_levels(&a, levels, &b, ei);

  if (!err && b.n) {
    char caption[320];
    snprintf(caption, sizeof caption,
             "%s by %.100s, over seeds and all other keys: box of the quartiles with the median, "
             "whiskers to the least and the greatest.",
             p->score->title, key);
    mho__figure(&p->figures, script_boxes, &b, PLOT_HEIGHT + 30, caption, caption);
  }

  mho__answer_free(&a);
  return err;
}

mho_err mho__study_plot_boxes(study_page *p, mho_errinfo *ei) {
  for (int i = 0; i < mho_min(p->sensitivity.n, BOXED_KEYS); i++) {
    mho_err err = plot_boxes_of(p, mho__answer_text(&p->sensitivity, i, 0), ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- Pareto */

/* What a grid point may cost, in the order in which a study is asked for it. */
static const struct {
  const char *column, *word, *label, *less, *note;
} costs[] = {{"energy_j", "energy", "energy (J)", "less energy", ""},
             {"pulses", "programming pulses", "programming pulses", "fewer pulses",
              " (Energy is not modelled in these runs.)"}};

/* Cost and score of every point; the cost ascends, and the best of a cost comes first. */
static mho_err read_costs(const study_page *p, const char *column, mho_answer *a, mho_errinfo *ei) {
  char sql[320];
  snprintf(sql, sizeof sql,
           "SELECT avg(%s) AS cost, avg(%s) FROM study_run AS s JOIN run ON run.id = s.run_id "
           "WHERE s.study = ?1 AND status = 'completed' GROUP BY s.point_hash HAVING cost > 0 "
           "ORDER BY cost, 2 %s",
           column, p->score->run, p->score->sign > 0 ? "DESC" : "ASC");
  return mho__study_answer(p, sql, NULL, NULL, a, ei);
}

typedef struct pareto {
  const mho_answer *a;
  const char *label;
  const study_score *score;
} pareto;

static void script_pareto(FILE *f, const void *user) {
  const pareto *p = user;
  const mho_answer *a = p->a;
  double factor = p->score->factor, best = -INFINITY;

  fputs("$d << EOD\n", f);
  for (int i = 0; i < mho_min(a->n, POINTS_DRAWN); i++)
    fprintf(f, "%.7g %.6g\n", mho__answer_number(a, i, 0), factor * mho__answer_number(a, i, 1));

  fputs("EOD\n$front << EOD\n", f);
  for (int i = 0; i < a->n; i++) {
    double v = mho__answer_number(a, i, 1), good = p->score->sign * v;
    if (good > best)
      fprintf(f, "%.7g %.6g\n", mho__answer_number(a, i, 0), factor * v);
    best = fmax(best, good);
  }

  fprintf(f,
          "EOD\nset grid y\nset key outside top center horizontal samplen 2\nset logscale x\n"
          "set format x '%%.0e'\nset xlabel '%s'\nset ylabel '%s'\n"
          "plot $d using 1:2 with points pointtype 7 pointsize 0.5 " MHO_PLOT_COLOR_2
          " title 'grid point', $front using 1:2 with linespoints pointtype 7 pointsize "
          "0.6 " MHO_PLOT_COLOR_1 " linewidth 2 title 'front'\n",
          p->label, p->score->axis);
}

mho_err mho__study_plot_pareto(study_page *p, mho_errinfo *ei) {
  for (int i = 0; i < MHO_COUNT(costs); i++) {
    mho_answer a;
    mho_err err = read_costs(p, costs[i].column, &a, ei);
    if (err)
      return err;

    char description[96], caption[256];
    snprintf(description, sizeof description, "%s against cost of every grid point",
             p->score->title);
    snprintf(caption, sizeof caption,
             "%s against %s, and the Pareto front: no point has %s for %s.%s", p->score->title,
             costs[i].word, p->score->more, costs[i].less, costs[i].note);

    pareto d = {&a, costs[i].label, p->score};
    bool drawn = a.n > 1;
    if (drawn)
      mho__figure(&p->figures, script_pareto, &d, PLOT_HEIGHT, description, caption);
    mho__answer_free(&a);
    if (drawn)
      return MHO_OK;
  }

  return MHO_OK;
}

/* ---------------------------------------------------------------- ngspice */

/* On a logarithmic scale: a value that is zero or missing is drawn at its foot. */
static double above_zero(double v, double foot) {
  return isfinite(v) && v > 0 ? v : foot;
}

/* The answer has the largest difference and the tolerance in columns 4 and 6. */
static void script_cosim(FILE *f, const void *user) {
  const mho_answer *a = user;
  fputs("$d << EOD\n", f);
  for (int i = 0; i < mho_min(a->n, POINTS_DRAWN); i++)
    fprintf(f, "%.5g %.5g\n", above_zero(mho__answer_number(a, i, 6), 1e-6),
            above_zero(mho__answer_number(a, i, 4), 1e-16));

  fputs("EOD\nset grid\nset logscale xy\nset format '%.0e'\nset xlabel 'tolerance'\n"
        "set ylabel 'largest relative difference'\n"
        "set key outside top center horizontal samplen 2\nset xrange [*:*]\n"
        "plot $d using 1:2 with points pointtype 7 pointsize 0.7 " MHO_PLOT_COLOR_1
        " title 'check', x with lines " MHO_PLOT_COLOR_3 " title 'allowed'\n",
        f);
}

void mho__study_plot_cosim(study_page *p, const mho_answer *cosim) {
  if (cosim->n)
    mho__figure(&p->figures, script_cosim, cosim, PLOT_HEIGHT,
                "Differences between ngspice and the core, against their tolerance",
                "Every co-simulated quantity of the study: the largest difference between ngspice "
                "and the core, and what was allowed. Points below the line pass.");
}
