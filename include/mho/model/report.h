/* report.h - reports of runs, as a table or a page.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_MODEL_REPORT_H
#define MHO_MODEL_REPORT_H

#include "mho/model/entry.h"
#include "mho/report.h"

/** A registered report: a table or an HTML page of a database. */
struct mho_report {
  mho_entry entry;
  /** Write the report of a run.
   *   run_id  exact (mho_store_find resolves what users type).
   *   out     the caller's; on failure it may hold a part of the report.
   *  MHO_OK; MHO_ENOTFOUND for an unknown run; MHO_EIO when out cannot be written; errors of the
   *  store. What the report has to leave out (plots without gnuplot) it says in its text and to the
   *  context's log. */
  mho_err (*write)(mho_store *s, const char *run_id, FILE *out, const mho_context *ctx,
                   mho_errinfo *ei);
};

#endif
