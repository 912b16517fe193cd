/* overlap_curve.h - the file of waveforms that a curve of two spikes is made with.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXPERIMENT_OVERLAP_CURVE_H
#define MHO_EXPERIMENT_OVERLAP_CURVE_H

#include "device/overlap.h"

/** Times from the spike of the row to that of the column, s. */
typedef struct mho_differences {
  double from, to;
  int points; /**< at least 2 */
} mho_differences;

/** The waveforms of a YAML file into `row` and `column`, and the times that it asks for, or those
 *  between which the waveforms meet.
 *  @return MHO_OK; MHO_EIO; MHO_ECONFIG with file and line. */
mho_err mho__waves_read(const char *path, mho_overlap *o, mho_differences *out, mho_errinfo *ei);

#endif
