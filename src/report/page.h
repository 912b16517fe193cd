/* page.h - the report of a run while it is written, and its sections.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_PAGE_H
#define MHO_REPORT_PAGE_H

#include <stdio.h>

#include "report/config_table.h"
#include "report/plot.h"
#include "report/report_data.h"

typedef struct mho_page {
  FILE *out;
  mho_store *store;
  mho_report_data d;
  mho_report_config config;
  bool by_validation; /* the best epoch is best by validation samples, else by those of the test */
  mho_figures figures;
} mho_page;

#define MHO_EPOCH_AT(field) offsetof(mho_epoch_row, field)

/** Write what was trained and how it went: one sentence and the key figures. */
void mho__page_head(const mho_page *p, const char *title);
/** Write what training would take on hardware, term by term. Nothing without stored terms. */
void mho__page_energy(const mho_page *p);
/** Write values of the core against those of ngspice, of the last co-simulations.
 *  @return MHO_OK; errors of the store. */
mho_err mho__page_scatter(const mho_page *p, mho_errinfo *ei);
/** Write answers against targets, where those are values.
 *  @return MHO_OK; MHO_ENOMEM; errors of the store. */
mho_err mho__page_predictions(mho_page *p, mho_errinfo *ei);
/** Write test images that the run took for others, and what for. Nothing where none are kept.
 *  @return MHO_OK; MHO_ENOMEM; errors of the store. */
mho_err mho__page_mistakes(const mho_page *p, mho_errinfo *ei);
/** Write what the neurons of a network that spikes have become. Nothing where none are kept.
 *  @return MHO_OK; MHO_ENOMEM; errors of the store. */
mho_err mho__page_spikes(mho_page *p, mho_errinfo *ei);
/** Write the circuit of a network of resistors. Nothing where none is kept.
 *  @return MHO_OK; MHO_ENOMEM; errors of the store. */
mho_err mho__page_circuit(mho_page *p, mho_errinfo *ei);
/** Write curves against the epoch, and their numbers. */
void mho__page_curves(mho_page *p);

#endif
