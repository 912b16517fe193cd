/* page.h - the report of a run while it is written, and its parts.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_PAGE_H
#define MHO_REPORT_PAGE_H

#include <stdio.h>

#include "report/config_table.h"
#include "report/report_data.h"

typedef struct mho_page {
  FILE *out;
  mho_store *store;
  mho_report_data d;
  mho_report_config config;
  bool by_validation; /* what the best epoch is best by */
  const mho_context *ctx;
  char no_plots[MHO_MESSAGE_MAX]; /* why there are none */
} mho_page;

#define MHO_EPOCH_AT(field) offsetof(mho_epoch_row, field)

/** What was trained, how it went: one sentence and the key figures. */
void mho_page_head(const mho_page *p, const char *title);
/** What training would take on hardware, term by term. */
void mho_page_energy(const mho_page *p);
/** Values of the core against those of ngspice, of the last co-simulations. */
mho_err mho_page_scatter(const mho_page *p, mho_errinfo *ei);
/** Curves against the epoch, and their numbers. */
void mho_page_curves(mho_page *p);

#endif
