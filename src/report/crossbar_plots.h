/* crossbar_plots.h - the conductances of a run's crossbars, drawn.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_CROSSBAR_PLOTS_H
#define MHO_REPORT_CROSSBAR_PLOTS_H

#include "report/plot.h"

/** Draw conductance and saturation of each crossbar over the epochs, and histograms of the
 *  conductances. Nothing where the run has no conductances; of more than six crossbars the first
 *  six.
 *  @param whose  put before each caption: "Best run: ", or "" where the page is of one run.
 *  @return MHO_OK; MHO_ENOMEM; errors of the store. */
mho_err mho__crossbar_plots(mho_figures *figures, mho_store *store, const char *run_id,
                            const char *whose, mho_errinfo *ei);

#endif
