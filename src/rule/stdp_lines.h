/* stdp_lines.h - what lines remember of their spikes under rule stdp, for a circuit of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_STDP_LINES_H
#define MHO_RULE_STDP_LINES_H

#include "mho/model/check.h"

/** What spikes leave on their lines. A time of 0: nothing there. */
typedef struct mho_stdp_lines {
  bool is_window;            /**< rows are active for tau_pre, else traces decay in it */
  int form;                  /**< of traces: MHO_TRACE_... (dynamics/spike_trace.h) */
  double tau_pre;            /**< s, of rows */
  double tau_post, tau_slow; /**< s, of columns: for rows that fire after them, and of triplets */
} mho_stdp_lines;

/** What an experiment's lines remember. @return whether anything: not without rule stdp, nor where
 *  waveforms are on the lines. */
bool mho__stdp_lines(const mho_experiment *e, mho_stdp_lines *out);

#endif
