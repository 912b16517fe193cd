/* report.h - what a run did, as a file to read or to send, made from the run database alone.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_H
#define MHO_REPORT_H

#include <stdio.h>

#include "mho/store.h"

typedef struct mho_report {
  mho_entry entry;
  /* Write the report of a run.
   *   run_id  exact (mho_store_find resolves what users type).
   *   out     the caller's; on failure it may hold a part of the report.
   * MHO_OK; MHO_ENOTFOUND for an unknown run; MHO_EIO when out cannot be written; errors of the store. What
   * the report has to leave out (plots without gnuplot) it says in its text and to the context's log. */
  mho_err (*write)(mho_store *s, const char *run_id, FILE *out, const mho_context *ctx, mho_errinfo *ei);
} mho_report;

/** The report of that id ("run"), or NULL. */
MHO_API const mho_report *mho_report_find(const char *id);
/** The i-th report, or NULL past the end. */
MHO_API const mho_report *mho_report_at(int i);
MHO_API int mho_report_count(void);

#endif
