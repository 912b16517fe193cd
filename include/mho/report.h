/* report.h - what a run did, as a file to read or to send, made from the run database alone.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_H
#define MHO_REPORT_H

#include <stdio.h>

#include "mho/device.h"
#include "mho/store.h"

/** A registered report: a table or an HTML page of a database (mho/model/report.h). */
typedef struct mho_report mho_report;

/** The report of that id ("run"), or NULL. */
MHO_API const mho_report *mho_report_find(const char *id);
/** The i-th report, or NULL past the end. */
MHO_API const mho_report *mho_report_at(int i);
/** How many reports there are. */
MHO_API int mho_report_count(void);
/** What it says of itself (mho/model/entry.h). */
MHO_API const struct mho_entry *mho_report_entry(const mho_report *report);
/** Write the report of a run, see mho_report.write. */
MHO_API mho_err mho_report_write(const mho_report *report, mho_store *s, const char *run_id,
                                 FILE *out, const mho_context *ctx, mho_errinfo *ei);
/** The same as text.
 *  @param ctx  nullable.
 *  @param out  free it with mho_free.
 *  @return as mho_report_write; MHO_ENOMEM. */
MHO_API mho_err mho_report_text(const mho_report *report, mho_store *s, const char *run_id,
                                const mho_context *ctx, char **out, mho_errinfo *ei);

/** Heat maps of quantities over the same array, side by side. */
typedef struct mho_heat_map {
  const char *title;   /**< with its unit; plain ASCII without quotes */
  const double *value; /**< [rows x cols] */
} mho_heat_map;
enum { MHO_HEAT_MAX = 4 };
/** A heat map in a report. */
typedef struct mho_heat {
  const char *title; /**< plain ASCII without quotes */
  int rows, cols, n; /**< n maps */
  mho_heat_map map[MHO_HEAT_MAX];
} mho_heat;

/** Draw into a file, PNG or SVG by the name's ending. Arrays of more than 512 lines are drawn as
 *  means of blocks.
 *  @return MHO_OK; MHO_EINVAL for another ending; MHO_EUNSUPPORTED without gnuplot; MHO_EIO;
 *          MHO_ENOMEM. */
MHO_API mho_err mho_heat_draw(const mho_heat *h, const char *path, mho_errinfo *ei);

/* Of device models, mho/model/device.h. */
typedef struct mho_pulse_data mho_pulse_data;

/** The response of a population to pulses, and measured points beside it. */
typedef struct mho_pulse_plot {
  const char *title;            /**< plain ASCII without quotes */
  const mho_curve_point *curve; /**< [n], one cycle */
  int n;
  const mho_pulse_data *data; /**< nullable */
  const double *residual;     /**< [rows of the data] S, NaN where there is none; nullable */
} mho_pulse_plot;
enum { MHO_PULSE_PLOTS_MAX = 32 };
/** Draw n pictures (at most MHO_PULSE_PLOTS_MAX), one below another, into a file, SVG or PNG by the
 *  name's ending; residuals beside the curve.
 *  @return MHO_OK; MHO_EINVAL for another ending; MHO_EUNSUPPORTED without gnuplot; MHO_EIO. */
MHO_API mho_err mho_pulse_plot_draw(const mho_pulse_plot *p, int n, const char *path,
                                    mho_errinfo *ei);
/** Draw what two spikes do to a device against the time between them, [n], in the same way.
 *  @param title  plain ASCII without quotes. */
MHO_API mho_err mho_overlap_plot_draw(const char *title, const mho_overlap_point *p, int n,
                                      const char *path, mho_errinfo *ei);

#endif
