/* study_page.h - the report of a study while it is written.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_STUDY_PAGE_H
#define MHO_REPORT_STUDY_PAGE_H

#include <stdio.h>

#include "report/answer.h"
#include "report/config_table.h"

enum { STUDY_LEVELS = 12 };

typedef struct study_page {
  FILE *out;
  mho_store *store;
  const char *name;
  const mho_context *ctx;
  mho_answer points;      /* spread: one row a grid point, the best first */
  mho_answer sensitivity; /* the key that matters most first */
  char best[MHO_ID_MAX];  /* a run of the best point */
  const char *whose;      /* crossbars: "Best run: " of a study, "" where the page is of one run */
  char no_plots[MHO_MESSAGE_MAX];
} study_page;

/** A query about the study, ?1; more values follow. */
mho_err study_answer(const study_page *p, const char *sql, const char *arg2, const char *arg3,
                     mho_answer *out, mho_errinfo *ei);

/* Each writes figures where there is something to draw. */
mho_err study_plot_curves(study_page *p, mho_errinfo *ei);
mho_err study_plot_sensitivity(study_page *p, mho_errinfo *ei);
mho_err study_plot_boxes(study_page *p, mho_errinfo *ei);
mho_err study_plot_pareto(study_page *p, mho_errinfo *ei);
/** Crossbars of the run `best`: conductance and saturation over the epochs, histograms; of a page of one run too. */
mho_err study_plot_layers(study_page *p, mho_errinfo *ei);
mho_err study_plot_cosim(study_page *p, const mho_answer *cosim, mho_errinfo *ei);

#endif
