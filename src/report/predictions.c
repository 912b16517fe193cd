/* predictions.c - what a run whose targets are values answers, against what it should.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/answer.h"
#include "report/html.h"
#include "report/page.h"

enum { VALUES_SHOWN = 4, PLOT_HEIGHT = 320 };

/* The columns of the query. */
enum { TARGET, ANSWER };

static void script(FILE *f, const void *user) {
  const mho_answer *a = user;
  double low = INFINITY, high = -INFINITY;

  fputs("$d << EOD\n", f);
  for (int i = 0; i < a->n; i++) {
    double target = mho__answer_number(a, i, TARGET), answer = mho__answer_number(a, i, ANSWER);
    fprintf(f, "%.7g %.7g\n", target, answer);
    low = fmin(low, target);
    high = fmax(high, target);
  }

  fprintf(f,
          "EOD\n$line << EOD\n%.7g %.7g\n%.7g %.7g\nEOD\nset grid\nset xlabel 'target'\n"
          "set ylabel 'answer'\nset key outside top center horizontal samplen 2\n"
          "plot $d using 1:2 with points pointtype 7 pointsize 0.35 " MHO_PLOT_COLOR_1
          " title 'test sample', $line using 1:2 with lines " MHO_PLOT_COLOR_3
          " title 'what it should be'\n",
          low, low, high, high);
}

/* One of the values; *n: how many samples there are. */
static mho_err plot_value(mho_page *p, int value, int *n, mho_errinfo *ei) {
  static const char sql[] = "SELECT target, answer FROM prediction WHERE run_id = ?1 AND "
                            "value = CAST(?2 AS INTEGER) ORDER BY sample";
  char number[16], description[128], caption[192];
  snprintf(number, sizeof number, "%d", value);
  const char *args[] = {p->d.run.id, number};

  mho_answer a;
  mho_err err = mho__answer_read(p->store, sql, 2, args, &a, ei);
  if (err)
    return err;

  *n = a.n;
  if (a.n > 0 && value == 0)
    fputs("<section>\n<h2>Answers</h2>\n<div class=\"plots\">\n", p->out);
  if (a.n > 0) {
    snprintf(description, sizeof description, "Answers against targets of %d test samples", a.n);
    snprintf(caption, sizeof caption,
             "Target %d: answers to the first %d test samples after the last epoch, in the "
             "target's own unit.",
             value + 1, a.n);
    mho__figure(&p->figures, script, &a, PLOT_HEIGHT, description, caption);
  }
  mho__answer_free(&a);
  return MHO_OK;
}

mho_err mho__page_predictions(mho_page *p, mho_errinfo *ei) {
  for (int value = 0; value < VALUES_SHOWN; value++) {
    int n = 0;
    mho_err err = plot_value(p, value, &n, ei);
    if (err)
      return err;
    if (n == 0 && value == 0)
      return MHO_OK;
    if (n == 0)
      break;
  }

  fputs("</div>\n</section>\n", p->out);
  return MHO_OK;
}
