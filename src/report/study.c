/* study.c - the report of a study: what it found, in figures and tables, and how to do it again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/whole_file.h"
#include "mho/model/report.h"
#include "mho/report.h"
#include "report/crossbar_plots.h"
#include "report/html.h"
#include "report/study_page.h"

mho_err mho__study_answer(const study_page *p, const char *sql, const char *arg2, const char *arg3,
                          mho_answer *out, mho_errinfo *ei) {
  const char *args[] = {p->name, arg2, arg3};
  int n_args = 1 + (arg2 != NULL) + (arg3 != NULL);
  return mho__answer_read(p->store, sql, n_args, args, out, ei);
}

/* The answer to one of the store's own queries. */
static mho_err named_answer(const study_page *p, const char *name, mho_answer *out,
                            mho_errinfo *ei) {
  const char *sql;
  *out = (mho_answer){0};
  mho_err err = mho_store_named_sql(p->store, mho_store_named_find(name), p->name, &sql, ei);
  return err ? err : mho__study_answer(p, sql, NULL, NULL, out, ei);
}

/* ---------------------------------------------------------------- the score */

static const study_score accuracy = {.name = "test accuracy",
                                     .word = "accuracy",
                                     .title = "Test accuracy",
                                     .more = "more accuracy",
                                     .unit = " %",
                                     .axis = "test accuracy (%)",
                                     .run = "final_test_acc",
                                     .epoch = "test_acc",
                                     .factor = 100,
                                     .format = "%.2f",
                                     .sign = 1};
static const study_score rms = {.name = "test rms",
                                .word = "rms",
                                .title = "Test rms",
                                .more = "a smaller rms",
                                .unit = "",
                                .axis = "test rms",
                                .run = "final_test_rms",
                                .epoch = "test_rms",
                                .factor = 1,
                                .format = "%.4g",
                                .sign = -1};

static mho_err choose_score(study_page *p, mho_errinfo *ei) {
  bool has_values;
  mho_err err = mho_store_study_has_values(p->store, p->name, &has_values, ei);
  p->score = has_values ? &rms : &accuracy;
  return err;
}

static void section_begin(FILE *out, const char *heading) {
  fprintf(out, "<section>\n<h2>%s</h2>\n<p class=\"note\">", heading);
}

/* ---------------------------------------------------------------- head */

/* Columns of the query about all runs. */
enum {
  RUNS,
  COMPLETED,
  DIVERGED,
  FAILED,
  UNFINISHED,
  WALL_S,
  STARTED,
  ENDED,
  POINTS,
  SEEDS,
  DATASET,
  VERSIONS,
  VERSION
};

/* Columns of the query "spread". */
enum { SETS, SCORE = 2, DEVIATION };

static void write_best(const study_page *p, const char *dataset) {
  if (!p->points.n) {
    fputs("No run of this study is complete yet.", p->out);
    return;
  }

  const char *sets = mho__answer_text(&p->points, 0, SETS);
  const char *deviation = mho__answer_text(&p->points, 0, DEVIATION);
  mho__html_printf(p->out, "Best of %d grid points on %s: %s%s %s", p->points.n, dataset,
                   mho__answer_text(&p->points, 0, SCORE), p->score->unit, p->score->name);
  if (*deviation)
    mho__html_printf(p->out, " (\xc2\xb1 %s)", deviation);
  mho__html_printf(p->out, " after the last epoch, with %s.", *sets ? sets : "the base config");
}

static void write_tiles(const study_page *p, const mho_answer *a) {
  char t[MHO_NUMBER_MAX];

  fputs("<dl class=\"tiles\">\n", p->out);
  mho__html_tile(p->out, "Completed runs", mho__count(mho__answer_number(a, 0, COMPLETED), t),
                 "%s diverged, %s failed, %s unfinished", mho__answer_text(a, 0, DIVERGED),
                 mho__answer_text(a, 0, FAILED), mho__answer_text(a, 0, UNFINISHED));
  mho__html_tile(p->out, "Grid points", mho__count(mho__answer_number(a, 0, POINTS), t), "%s seeds",
                 mho__answer_text(a, 0, SEEDS));
  if (p->points.n) {
    char title[32];
    double best = mho__answer_number(&p->points, 0, SCORE);
    snprintf(title, sizeof title, "Best %s", p->score->name);
    mho__html_tile(
        p->out, title, p->score->sign > 0 ? mho__percent(best / 100, t) : mho__number(best, 4, t),
        "worst %s%s", mho__answer_text(&p->points, p->points.n - 1, SCORE), p->score->unit);
  }
  mho__html_tile(p->out, "Computing time", mho__duration(mho__answer_number(a, 0, WALL_S), t),
                 "of all runs");
  fputs("</dl>\n", p->out);
}

static mho_err write_head(study_page *p, mho_errinfo *ei) {
  static const char sql[] =
      "SELECT count(*), count(*) FILTER (WHERE status = 'completed'), "
      "count(*) FILTER (WHERE status = 'diverged'), count(*) FILTER (WHERE status = 'failed'), "
      "count(*) FILTER (WHERE status IN ('running', 'interrupted')), sum(wall_s), min(started), "
      "max(coalesce(ended, started)), count(DISTINCT run.point_hash), count(DISTINCT seed), "
      "min(dataset), count(DISTINCT code_version), max(code_version) "
      "FROM study_run AS s JOIN run ON run.id = s.run_id WHERE s.study = ?1";
  mho_answer a;
  mho_err err = mho__study_answer(p, sql, NULL, NULL, &a, ei);
  if (err)
    return err;

  fputs("<header>\n<p class=\"kind\">mho study report</p>\n<h1>", p->out);
  mho__html_text(p->out, p->name);
  fputs("</h1>\n<p class=\"meta\">", p->out);
  mho__html_printf(p->out, "%s runs \xc2\xb7 %.10s to %.10s \xc2\xb7 mho %s%s",
                   mho__answer_text(&a, 0, RUNS), mho__answer_text(&a, 0, STARTED),
                   mho__answer_text(&a, 0, ENDED), mho__answer_text(&a, 0, VERSION),
                   mho__answer_number(&a, 0, VERSIONS) > 1 ? " and others" : "");

  fputs("</p>\n<p class=\"lead\">", p->out);
  write_best(p, mho__answer_text(&a, 0, DATASET));
  if (p->sensitivity.n)
    mho__html_printf(p->out, " What matters most: %s.", mho__answer_text(&p->sensitivity, 0, 0));
  fprintf(p->out,
          "</p>\n<p class=\"note\">Best means best by %s, which no run was trained or stopped "
          "by.</p>\n",
          p->score->name);
  write_tiles(p, &a);
  fputs("</header>\n", p->out);
  mho__answer_free(&a);
  return MHO_OK;
}

/* ---------------------------------------------------------------- heat map */

enum { LEVEL_MAX = 64 };

/* Mean score over two keys, one down and one across. */
typedef struct heat {
  mho_answer a; /* value of the first key, of the second, mean score, runs, deviation */
  const char *first, *second; /* the keys */
  int n_rows, n_cols;
  char rows[STUDY_LEVELS][LEVEL_MAX], cols[STUDY_LEVELS][LEVEL_MAX];
  double low, high; /* of the scores as they are shown */
  const study_score *score;
} heat;

static int find_text(char list[][LEVEL_MAX], int n, const char *text) {
  for (int i = 0; i < n; i++)
    if (!strcmp(list[i], text))
      return i;
  return -1;
}

/* The values of a column in the order they come, at most STUDY_LEVELS; -1 when there are more. */
static int levels_of(const mho_answer *a, int col, char list[][LEVEL_MAX]) {
  int n = 0;
  for (int i = 0; i < a->n; i++) {
    char text[LEVEL_MAX];
    snprintf(text, sizeof text, "%s", mho__answer_text(a, i, col));
    if (find_text(list, n, text) >= 0)
      continue;
    if (n == STUDY_LEVELS)
      return -1;
    strcpy(list[n++], text);
  }

  return n;
}

/* Order of two texts, by their numbers where both are numbers. */
static int by_number(const void *a, const void *b) {
  const char *x = a, *y = b;
  char *x_end, *y_end;
  double p = strtod(x, &x_end), q = strtod(y, &y_end);
  if (!*x_end && !*y_end && *x && *y)
    return (p > q) - (p < q);
  return strcmp(x, y);
}

/* The record of a cell, the last one that fits; -1 when no run has both values. */
static int find_record(const heat *h, const char *row, const char *col) {
  for (int i = h->a.n - 1; i >= 0; i--)
    if (!strncmp(mho__answer_text(&h->a, i, 0), row, LEVEL_MAX - 1) &&
        !strncmp(mho__answer_text(&h->a, i, 1), col, LEVEL_MAX - 1))
      return i;
  return -1;
}

static void write_cell(FILE *out, const heat *h, int record) {
  double v = h->score->factor * mho__answer_number(&h->a, record, 2);
  double std = h->score->factor * mho__answer_number(&h->a, record, 4);
  double share = h->high > h->low ? (v - h->low) / (h->high - h->low) : 0.5;
  if (h->score->sign < 0)
    share = 1 - share;

  char mean[32], deviation[32];
  snprintf(mean, sizeof mean, h->score->format, v);
  snprintf(deviation, sizeof deviation, h->score->format, std);
  fprintf(out, "<td style=\"--v:%.3f\">%s<small>", share, mean);
  if (isfinite(std))
    fprintf(out, "\xc2\xb1 %s", deviation);
  fputs("</small></td>", out);
}

static void write_row(FILE *out, const heat *h, const char *row) {
  mho__html_row(out, "%s", row);
  for (int c = 0; c < h->n_cols; c++) {
    int record = find_record(h, row, h->cols[c]);
    if (record >= 0)
      write_cell(out, h, record);
    else
      fputs("<td>\xe2\x80\x93</td>", out);
  }
  fputs("</tr>\n", out);
}

static void write_heat_table(FILE *out, const heat *h) {
  section_begin(out, "Two keys at a time");
  mho__html_printf(out,
                   "%s: %s down, %s across; mean \xc2\xb1 standard deviation over seeds and all "
                   "other keys. The stronger the color, the better.",
                   h->score->sign > 0 ? "Test accuracy in %" : "Test rms", h->first, h->second);
  fputs("</p>\n", out);

  char heads[STUDY_LEVELS * (LEVEL_MAX + 2) + 160];
  snprintf(heads, sizeof heads, "%s \\ %s", h->first, h->second);
  for (int c = 0; c < h->n_cols; c++)
    mho_text_append(heads, sizeof heads, "|%s", h->cols[c]);
  mho__html_table_begin(out, "heat", "Heat map of two keys", heads);
  fputs("<tbody>\n", out);
  for (int i = 0; i < h->n_rows; i++)
    write_row(out, h, h->rows[i]);
  fputs("</tbody>\n", out);
  mho__html_table_end(out);
  fputs("</section>\n", out);
}

/* The two keys that matter most, where each has a few values. */
static mho_err write_heat(study_page *p, mho_errinfo *ei) {
  static const char format[] =
      "SELECT json_extract(config, '$.' || ?2) AS a, json_extract(config, '$.' || ?3) AS b, "
      "avg(%s), count(*), sqrt(max(0, avg(%s * %s) - avg(%s) * avg(%s)) * count(*) / "
      "nullif(count(*) - 1, 0)) FROM study_run AS s JOIN run ON run.id = s.run_id "
      "WHERE s.study = ?1 AND status = 'completed' GROUP BY a, b";
  const char *column = p->score->run;
  char sql[sizeof format + 160];
  snprintf(sql, sizeof sql, format, column, column, column, column, column);
  if (p->sensitivity.n < 2)
    return MHO_OK;

  heat h = {.first = mho__answer_text(&p->sensitivity, 0, 0),
            .second = mho__answer_text(&p->sensitivity, 1, 0),
            .score = p->score,
            .low = INFINITY,
            .high = -INFINITY};
  mho_err err = mho__study_answer(p, sql, h.first, h.second, &h.a, ei);
  if (err)
    return err;

  h.n_rows = levels_of(&h.a, 0, h.rows);
  h.n_cols = levels_of(&h.a, 1, h.cols);
  if (h.n_rows >= 2 && h.n_cols >= 2) {
    qsort(h.rows, (size_t)h.n_rows, sizeof *h.rows, by_number);
    qsort(h.cols, (size_t)h.n_cols, sizeof *h.cols, by_number);
    for (int i = 0; i < h.a.n; i++) {
      double v = p->score->factor * mho__answer_number(&h.a, i, 2);
      h.low = fmin(h.low, v);
      h.high = fmax(h.high, v);
    }
    write_heat_table(p->out, &h);
  }

  mho__answer_free(&h.a);
  return MHO_OK;
}

/* ---------------------------------------------------------------- sections */

static mho_err write_figures(study_page *p, mho_errinfo *ei) {
  fputs("<section>\n<h2>What matters</h2>\n<div class=\"plots\">\n", p->out);
  mho__study_plot_sensitivity(p);
  mho_err err = mho__study_plot_pareto(p, ei);
  if (!err)
    err = mho__study_plot_boxes(p, ei);
  if (!err)
    err = mho__study_plot_curves(p, ei);
  if (!err)
    err = mho__crossbar_plots(&p->figures, p->store, p->best, "Best run: ", ei);
  fputs("</div>\n</section>\n", p->out);
  return err;
}

/* An answer that has been read, as a section with a table. */
static void write_table(study_page *p, const mho_answer *a, const char *heading, const char *note,
                        int most) {
  if (!a->n)
    return;
  section_begin(p->out, heading);
  fprintf(p->out, "%s</p>\n", note);
  mho__answer_table(p->out, a, heading, most);
  fputs("</section>\n", p->out);
}

/* The same of one of the store's own queries. */
static mho_err write_named(study_page *p, const char *name, const char *heading, const char *note,
                           int most, mho_errinfo *ei) {
  mho_answer a;
  mho_err err = named_answer(p, name, &a, ei);
  if (err)
    return err;
  write_table(p, &a, heading, note, most);
  mho__answer_free(&a);
  return MHO_OK;
}

static mho_err write_cosim(study_page *p, mho_errinfo *ei) {
  static const char heading[] = "Check against ngspice";
  mho_answer a;
  mho_err err = named_answer(p, "cosim", &a, ei);
  if (err)
    return err;

  if (a.n) {
    section_begin(p->out, heading);
    fputs("Circuits of this study's runs.</p>\n<div class=\"plots\">\n", p->out);
    mho__study_plot_cosim(p, &a);
    fputs("</div>\n", p->out);
    mho__answer_table(p->out, &a, heading, 60);
    fputs("</section>\n", p->out);
  }

  mho__answer_free(&a);
  return MHO_OK;
}

static mho_err write_again(study_page *p, mho_errinfo *ei) {
  static const char sql[] = "SELECT json_extract(config, '$.yaml') FROM study WHERE name = ?1";
  mho_answer a;
  mho_err err = mho__study_answer(p, sql, NULL, NULL, &a, ei);
  if (err)
    return err;

  const char *yaml = a.n ? mho__answer_text(&a, 0, 0) : "";
  if (*yaml) {
    section_begin(p->out, "Reproduce");
    fputs("The whole study as one file, and the command that trains it (or what is missing of "
          "it):</p>\n"
          "<pre tabindex=\"0\"><code>mho sweep study.yaml</code></pre>\n"
          "<pre tabindex=\"0\"><code>",
          p->out);
    mho__html_text(p->out, yaml);
    fputs("</code></pre>\n</section>\n", p->out);
  }

  mho__answer_free(&a);
  return MHO_OK;
}

static mho_err write_config(study_page *p, mho_errinfo *ei) {
  mho_run_row row;
  mho_report_config config;
  if (!*p->best)
    return MHO_OK;

  mho_err err = mho_store_run_get(p->store, p->best, &row, ei);
  if (err)
    return err;

  err = mho__report_config_read(&row, &config, ei);
  mho_run_row_free(&row);
  if (err)
    return err;

  section_begin(p->out, "Config of the best run");
  mho__html_printf(p->out, "Run %s. Keys that differ from the default are marked and show it.",
                   p->best);
  fputs("</p>\n<details><summary>All keys</summary>\n", p->out);
  mho__report_config_table(p->out, &config);
  fputs("</details>\n</section>\n", p->out);
  mho__report_config_free(&config);
  return MHO_OK;
}

/* ---------------------------------------------------------------- the page */

/* Points and keys, which have been read. */
static void write_main_tables(study_page *p) {
  write_table(p, &p->points, "Grid points",
              "Mean and standard deviation over seeds of the completed runs. A head sorts its "
              "column.",
              300);

  char note[400];
  snprintf(note, sizeof note,
           "What each varied key explains alone of the variance of %s (omega^2, corrected for "
           "chance, and its 95 %% interval: a key whose interval begins at 0 may have no effect), "
           "and the mean %s at its worst and best value. Not counted: runs that diverged or "
           "failed.",
           p->score->word, p->score->word);
  write_table(p, &p->sensitivity, "Keys", note, 50);
}

static mho_err write_sections(study_page *p, mho_errinfo *ei) {
  mho_err err = write_heat(p, ei);
  if (!err)
    err = write_figures(p, ei);
  if (!err)
    write_main_tables(p);
  if (!err)
    err = write_named(p, "best-per-device", "Devices",
                      "The best grid point of each device and programming scheme.", 50, ei);
  if (!err)
    err =
        write_named(p, "saturation", "Crossbars", "After the last epoch, mean over runs.", 60, ei);
  if (!err)
    err = write_cosim(p, ei);
  if (!err)
    err = write_named(p, "failures", "Runs that did not complete", "And why.", 60, ei);
  if (!err)
    err = write_again(p, ei);
  if (!err)
    err = write_config(p, ei);
  return err;
}

static mho_err write_page(study_page *p, mho_errinfo *ei) {
  mho__html_begin(p->out, p->name, "mho study report");
  mho_err err = write_head(p, ei);
  fputs("<main>\n", p->out);
  if (!err)
    err = write_sections(p, ei);
  fputs("</main>\n", p->out);
  mho__html_sortable(p->out);
  mho__html_end(p->out);
  return err;
}

static mho_err write_study(mho_store *s, const char *name, FILE *out, const mho_context *ctx,
                           mho_errinfo *ei) {
  char found[MHO_STUDY_NAME_MAX];
  study_page p = {.out = out, .store = s, .name = found, .figures = {.out = out, .ctx = ctx}};
  mho_err err = mho_store_study_find(s, name, found, ei);
  if (!err)
    err = choose_score(&p, ei);
  if (!err)
    err = named_answer(&p, "spread", &p.points, ei);
  if (!err)
    err = named_answer(&p, "sensitivity", &p.sensitivity, ei);
  if (!err && p.points.n)
    snprintf(p.best, sizeof p.best, "%s", mho__answer_text(&p.points, 0, p.points.cols - 1));

  if (!err)
    err = write_page(&p, ei);
  if (!err)
    err = mho__flush(out, "the report cannot be written", ei);
  mho__answer_free(&p.sensitivity);
  mho__answer_free(&p.points);
  return err;
}

const mho_report mho_report_study = {
    .entry = {.abi = MHO_ABI,
              .id = "study",
              .title = "a study: what matters, heat map, boxes over seeds, Pareto front, "
                       "learning curves, tables",
              .params = MHO_PARAMS_NONE},
    .write = write_study,
};
