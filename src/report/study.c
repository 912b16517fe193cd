/* study.c - the report of a study: what it found, in figures and tables, and how to do it again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mho/report.h"
#include "report/html.h"
#include "report/study_page.h"

mho_err study_answer(const study_page *p, const char *sql, const char *arg2, const char *arg3,
                     mho_answer *out, mho_errinfo *ei) {
  const char *args[] = {p->name, arg2, arg3};
  return mho_answer_read(p->store, sql, 1 + (arg2 != NULL) + (arg3 != NULL), args, out, ei);
}

static mho_err named_answer(const study_page *p, const char *name, mho_answer *out,
                            mho_errinfo *ei) {
  return study_answer(p, mho_store_named_find(name)->sql, NULL, NULL, out, ei);
}

/* ---------------------------------------------------------------- head */

static void tile(study_page *p, const char *name, const char *value, const char *note) {
  fprintf(p->out, "<div><dt>%s</dt><dd><strong>", name);
  mho_html_text(p->out, value);
  fputs("</strong> ", p->out);
  mho_html_text(p->out, note);
  fputs("</dd></div>\n", p->out);
}

static mho_err write_head(study_page *p, mho_errinfo *ei) {
  static const char sql[] =
      "SELECT count(*), count(*) FILTER (WHERE status = 'completed'), count(*) FILTER "
      "(WHERE status = 'diverged'), count(*) "
      "FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status IN ('running', "
      "'interrupted')), sum(wall_s), "
      "min(started), max(coalesce(ended, started)), count(DISTINCT run.point_hash), "
      "count(DISTINCT seed), min(dataset), "
      "count(DISTINCT code_version), max(code_version) FROM study_run AS s JOIN run ON "
      "run.id = s.run_id WHERE s.study = ?1";
  mho_answer r;
  char a[MHO_NUMBER_MAX], note[256];
  mho_err err = study_answer(p, sql, NULL, NULL, &r, ei);
  if (err)
    return err;
  fputs("<header>\n<p class=\"kind\">mho study report</p>\n<h1>", p->out);
  mho_html_text(p->out, p->name);
  fputs("</h1>\n<p class=\"meta\">", p->out);
  mho_html_printf(p->out, "%s runs \xc2\xb7 %.10s to %.10s \xc2\xb7 mho %s%s",
                  mho_answer_text(&r, 0, 0), mho_answer_text(&r, 0, 6), mho_answer_text(&r, 0, 7),
                  mho_answer_text(&r, 0, 12),
                  mho_answer_number(&r, 0, 11) > 1 ? " and others" : "");
  fputs("</p>\n<p class=\"lead\">", p->out);
  if (p->points.n)
    mho_html_printf(
        p->out,
        "Best of %d grid points on %s: %s %% test accuracy%s%s%s after the last epoch, with %s.",
        p->points.n, mho_answer_text(&r, 0, 10), mho_answer_text(&p->points, 0, 2),
        *mho_answer_text(&p->points, 0, 3) ? " (\xc2\xb1 " : "", mho_answer_text(&p->points, 0, 3),
        *mho_answer_text(&p->points, 0, 3) ? ")" : "",
        *mho_answer_text(&p->points, 0, 0) ? mho_answer_text(&p->points, 0, 0) : "the base config");
  else
    fputs("No run of this study is complete yet.", p->out);
  if (p->sensitivity.n)
    mho_html_printf(p->out, " What matters most: %s.", mho_answer_text(&p->sensitivity, 0, 0));
  fputs(
      "</p>\n<p class=\"note\">Best means best by test accuracy, which no run was trained or stopped "
      "by.</p>\n"
      "<dl class=\"tiles\">\n",
      p->out);
  snprintf(note, sizeof note, "%s diverged, %s failed, %s unfinished", mho_answer_text(&r, 0, 2),
           mho_answer_text(&r, 0, 3), mho_answer_text(&r, 0, 4));
  tile(p, "Completed runs", mho_count(mho_answer_number(&r, 0, 1), a), note);
  snprintf(note, sizeof note, "%s seeds", mho_answer_text(&r, 0, 9));
  tile(p, "Grid points", mho_count(mho_answer_number(&r, 0, 8), a), note);
  if (p->points.n) {
    snprintf(note, sizeof note, "worst %s %%", mho_answer_text(&p->points, p->points.n - 1, 2));
    tile(p, "Best test accuracy", mho_percent(mho_answer_number(&p->points, 0, 2) / 100, a), note);
  }
  tile(p, "Computing time", mho_duration(mho_answer_number(&r, 0, 5), a), "of all runs");
  fputs("</dl>\n</header>\n", p->out);
  mho_answer_free(&r);
  return MHO_OK;
}

/* ---------------------------------------------------------------- heat map */

static int find_text(char list[][64], int n, const char *text) {
  for (int i = 0; i < n; i++)
    if (!strcmp(list[i], text))
      return i;
  return -1;
}

/* The values of a column in the order they come, at most STUDY_LEVELS; -1 when there are more. */
static int levels_of(const mho_answer *r, int col, char list[][64]) {
  int n = 0;
  for (int i = 0; i < r->n; i++) {
    char text[64];
    snprintf(text, sizeof text, "%s", mho_answer_text(r, i, col));
    if (find_text(list, n, text) >= 0)
      continue;
    if (n == STUDY_LEVELS)
      return -1;
    strcpy(list[n++], text);
  }
  return n;
}

static int by_number(const void *a, const void *b) {
  const char *x = a, *y = b;
  char *ex, *ey;
  double p = strtod(x, &ex), q = strtod(y, &ey);
  if (!*ex && !*ey && *x && *y)
    return (p > q) - (p < q);
  return strcmp(x, y);
}

static void heat_cell(study_page *p, const mho_answer *r, int row, double low, double high) {
  double v = 100 * mho_answer_number(r, row, 2), std = 100 * mho_answer_number(r, row, 4);
  fprintf(p->out, "<td style=\"--v:%.3f\">%.2f<small>", high > low ? (v - low) / (high - low) : 0.5,
          v);
  if (isfinite(std))
    fprintf(p->out, "\xc2\xb1 %.2f", std);
  fputs("</small></td>", p->out);
}

static mho_err write_heat(study_page *p, mho_errinfo *ei) {
  static const char sql[] =
      "SELECT json_extract(config, '$.' || ?2) AS a, json_extract(config, '$.' || ?3) "
      "AS b, avg(final_test_acc), count(*), "
      "sqrt(max(0, avg(final_test_acc * final_test_acc) - avg(final_test_acc) * "
      "avg(final_test_acc)) * count(*) / "
      "nullif(count(*) - 1, 0)) FROM study_run AS s JOIN run ON run.id = s.run_id "
      "WHERE s.study = ?1 AND status = "
      "'completed' GROUP BY a, b";
  mho_answer r;
  char rows[STUDY_LEVELS][64], cols[STUDY_LEVELS][64];
  if (p->sensitivity.n < 2)
    return MHO_OK;
  const char *first = mho_answer_text(&p->sensitivity, 0, 0),
             *second = mho_answer_text(&p->sensitivity, 1, 0);
  mho_err err = study_answer(p, sql, first, second, &r, ei);
  if (err)
    return err;
  int n_rows = levels_of(&r, 0, rows), n_cols = levels_of(&r, 1, cols);
  if (n_rows >= 2 && n_cols >= 2) {
    double low = INFINITY, high = -INFINITY;
    qsort(rows, (size_t)n_rows, sizeof *rows, by_number);
    qsort(cols, (size_t)n_cols, sizeof *cols, by_number);
    for (int i = 0; i < r.n; i++) {
      low = fmin(low, 100 * mho_answer_number(&r, i, 2));
      high = fmax(high, 100 * mho_answer_number(&r, i, 2));
    }
    fputs("<section>\n<h2>Two keys at a time</h2>\n<p class=\"note\">", p->out);
    mho_html_printf(
        p->out,
        "Test accuracy in %%: %s down, %s across; mean \xc2\xb1 standard deviation over seeds and all "
        "other keys. The stronger the color, the better.",
        first, second);
    fputs("</p>\n", p->out);
    char heads[STUDY_LEVELS * 66 + 160];
    snprintf(heads, sizeof heads, "%s \\ %s", first, second);
    for (int c = 0; c < n_cols; c++)
      mho_text_append(heads, sizeof heads, "|%s", cols[c]);
    mho_html_table_begin(p->out, "heat", "Heat map of two keys", heads);
    fputs("<tbody>\n", p->out);
    for (int i = 0; i < n_rows; i++) {
      fputs("<tr><th scope=\"row\">", p->out);
      mho_html_text(p->out, rows[i]);
      fputs("</th>", p->out);
      for (int c = 0; c < n_cols; c++) {
        int found = -1;
        for (int k = 0; k < r.n; k++)
          if (!strncmp(mho_answer_text(&r, k, 0), rows[i], 63) &&
              !strncmp(mho_answer_text(&r, k, 1), cols[c], 63))
            found = k;
        if (found >= 0)
          heat_cell(p, &r, found, low, high);
        else
          fputs("<td>\xe2\x80\x93</td>", p->out);
      }
      fputs("</tr>\n", p->out);
    }
    fputs("</tbody>\n", p->out);
    mho_html_table_end(p->out);
    fputs("</section>\n", p->out);
  }
  mho_answer_free(&r);
  return MHO_OK;
}

/* ---------------------------------------------------------------- sections */

static mho_err write_named(study_page *p, const char *name, const char *heading, const char *note,
                           int most, mho_errinfo *ei) {
  mho_answer r;
  mho_err err = named_answer(p, name, &r, ei);
  if (err)
    return err;
  if (r.n) {
    fprintf(p->out, "<section>\n<h2>%s</h2>\n<p class=\"note\">%s</p>\n", heading, note);
    if (!strcmp(name, "cosim")) {
      fputs("<div class=\"plots\">\n", p->out);
      err = study_plot_cosim(p, &r, ei);
      fputs("</div>\n", p->out);
    }
    mho_answer_table(p->out, &r, heading, most);
    fputs("</section>\n", p->out);
  }
  mho_answer_free(&r);
  return err;
}

static mho_err write_figures(study_page *p, mho_errinfo *ei) {
  fputs("<section>\n<h2>What matters</h2>\n<div class=\"plots\">\n", p->out);
  mho_err err = study_plot_sensitivity(p, ei);
  if (!err)
    err = study_plot_pareto(p, ei);
  if (!err)
    err = study_plot_boxes(p, ei);
  if (!err)
    err = study_plot_curves(p, ei);
  if (!err)
    err = study_plot_layers(p, ei);
  fputs("</div>\n</section>\n", p->out);
  return err;
}

static mho_err write_again(study_page *p, mho_errinfo *ei) {
  mho_answer r;
  mho_err err = study_answer(p, "SELECT json_extract(config, '$.yaml') FROM study WHERE name = ?1",
                             NULL, NULL, &r, ei);
  if (err)
    return err;
  if (r.n && *mho_answer_text(&r, 0, 0)) {
    fputs(
        "<section>\n<h2>Reproduce</h2>\n<p class=\"note\">The whole study as one file, and the command that "
        "trains it "
        "(or what is missing of it):</p>\n<pre tabindex=\"0\"><code>mho sweep study.yaml</code></pre>\n<pre "
        "tabindex=\"0\"><code>",
        p->out);
    mho_html_text(p->out, mho_answer_text(&r, 0, 0));
    fputs("</code></pre>\n</section>\n", p->out);
  }
  mho_answer_free(&r);
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
  err = mho_report_config_read(&row, &config, ei);
  mho_run_row_free(&row);
  if (err)
    return err;
  fputs("<section>\n<h2>Config of the best run</h2>\n<p class=\"note\">", p->out);
  mho_html_printf(p->out, "Run %s. Keys that differ from the default are marked and show it.",
                  p->best);
  fputs("</p>\n<details><summary>All keys</summary>\n", p->out);
  mho_report_config_table(p->out, &config);
  fputs("</details>\n</section>\n", p->out);
  mho_report_config_free(&config);
  return MHO_OK;
}

static mho_err write_page(study_page *p, mho_errinfo *ei) {
  mho_html_begin(p->out, p->name, "mho study report");
  mho_err err = write_head(p, ei);
  fputs("<main>\n", p->out);
  if (!err)
    err = write_heat(p, ei);
  if (!err)
    err = write_figures(p, ei);
  if (p->points.n && !err) {
    fputs(
        "<section>\n<h2>Grid points</h2>\n<p class=\"note\">Mean and standard deviation over seeds of the "
        "completed runs. "
        "A head sorts its column.</p>\n",
        p->out);
    mho_answer_table(p->out, &p->points, "Grid points", 300);
    fputs("</section>\n", p->out);
  }
  if (p->sensitivity.n && !err) {
    fputs(
        "<section>\n<h2>Keys</h2>\n<p class=\"note\">What each varied key explains alone of the variance "
        "of accuracy (omega^2, corrected for chance, and its 95 % interval: a key whose interval begins at "
        "0 may have "
        "no effect), and the mean accuracy at its worst and best value. Not counted: runs that diverged or "
        "failed.</p>\n",
        p->out);
    mho_answer_table(p->out, &p->sensitivity, "Keys", 50);
    fputs("</section>\n", p->out);
  }
  if (!err)
    err = write_named(p, "best-per-device", "Devices",
                      "The best grid point of each device and programming scheme.", 50, ei);
  if (!err)
    err =
        write_named(p, "saturation", "Crossbars", "After the last epoch, mean over runs.", 60, ei);
  if (!err)
    err =
        write_named(p, "cosim", "Check against ngspice", "Circuits of this study's runs.", 60, ei);
  if (!err)
    err = write_named(p, "failures", "Runs that did not complete", "And why.", 60, ei);
  if (!err)
    err = write_again(p, ei);
  if (!err)
    err = write_config(p, ei);
  fputs("</main>\n", p->out);
  mho_html_sortable(p->out);
  mho_html_end(p->out);
  return err;
}

static mho_err write_study(mho_store *s, const char *name, FILE *out, const mho_context *ctx,
                           mho_errinfo *ei) {
  char found[MHO_STUDY_NAME_MAX];
  study_page p = {.out = out, .store = s, .name = found, .ctx = ctx, .whose = "Best run: "};
  mho_err err = mho_store_study_find(s, name, found, ei);
  if (!err)
    err = named_answer(&p, "spread", &p.points, ei);
  if (!err)
    err = named_answer(&p, "sensitivity", &p.sensitivity, ei);
  if (!err && p.points.n)
    snprintf(p.best, sizeof p.best, "%s", mho_answer_text(&p.points, 0, p.points.cols - 1));
  if (!err)
    err = write_page(&p, ei);
  if (!err && (fflush(out) || ferror(out)))
    err = mho_fail(ei, MHO_EIO, "the report cannot be written");
  mho_answer_free(&p.sensitivity);
  mho_answer_free(&p.points);
  return err;
}

const mho_report mho_report_study = {
    .entry =
        {.abi = MHO_ABI,
         .id = "study",
         .title =
             "a study: what matters, heat map, boxes over seeds, Pareto front, learning curves, tables",
         .params = MHO_PARAMS_NONE},
    .write = write_study,
};
