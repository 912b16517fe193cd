/* study_page.h - the report of a study while it is written.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_STUDY_PAGE_H
#define MHO_REPORT_STUDY_PAGE_H

#include <stdio.h>

#include "report/answer.h"
#include "report/config_table.h"
#include "report/plot.h"

enum { STUDY_LEVELS = 12 };

/* What the runs of a study are judged by. */
typedef struct study_score {
  const char *name, *word; /* "test accuracy", "accuracy" */
  const char *title;       /* the name where a sentence begins */
  const char *more;        /* "more accuracy", what is better */
  const char *unit;        /* behind a number: " %" */
  const char *axis;        /* "test accuracy (%)" */
  const char *run, *epoch; /* columns of the two tables */
  double factor;           /* from there to what is shown */
  const char *format;      /* of what is shown */
  double sign;             /* 1 where more is better, else -1 */
} study_score;

typedef struct study_page {
  FILE *out;
  mho_store *store;
  const char *name;
  mho_answer points;      /* query "spread": one record a grid point, the best first */
  mho_answer sensitivity; /* query "sensitivity": the key that matters most first */
  char best[MHO_ID_MAX];  /* a run of the best point; "" where no run is complete */
  const study_score *score;
  mho_figures figures;
} study_page;

/** A query about the study, whose name is ?1; arg2 and arg3 (nullable) are ?2 and ?3. As
 *  mho__answer_read. */
mho_err mho__study_answer(const study_page *p, const char *sql, const char *arg2, const char *arg3,
                          mho_answer *out, mho_errinfo *ei);

/* Each writes figures where there is something to draw: MHO_OK; MHO_ENOMEM; errors of the store. */

/** Mean score after each epoch, by the key that matters most where it has few values. */
mho_err mho__study_plot_curves(study_page *p, mho_errinfo *ei);
/** Share of the variance of the score that each key explains. */
void mho__study_plot_sensitivity(study_page *p);
/** Quartiles of the score by the values of each of the four keys that matter most. */
mho_err mho__study_plot_boxes(study_page *p, mho_errinfo *ei);
/** The score against energy, or else against pulses, and the Pareto front. */
mho_err mho__study_plot_pareto(study_page *p, mho_errinfo *ei);
/** Differences between ngspice and the core against their tolerance.
 *  @param cosim  the answer to the query "cosim". */
void mho__study_plot_cosim(study_page *p, const mho_answer *cosim);

#endif
