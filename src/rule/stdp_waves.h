/* stdp_waves.h - spikes that put waveforms on the lines of crossbars, which move the devices
 * between them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_RULE_STDP_WAVES_H
#define MHO_RULE_STDP_WAVES_H

#include "device/overlap.h"
#include "mho/model/check.h"

typedef struct mho_stdp_waves mho_stdp_waves;

/** Whether an experiment learns by waveforms on its lines: then `half` of its counts of pulses is
 *  what all cells take of the lines, in whole SET pulses (stdp_waves.c). */
bool mho__stdp_has_waves(const mho_experiment *e);

/** The sum that it brings weights to before a sample (rule.normalize); 0: none. */
double mho__stdp_normalizes(const mho_experiment *e);
/** What an experiment's spikes put on rows and columns. As mho__stdp_waves_new of the texts. */
mho_err mho__stdp_waves_of(const mho_experiment *e, mho_wave *row, mho_wave *column,
                           mho_errinfo *ei);

/** Waveforms of rows and columns (src/device/waveform.h) at the devices of crossbars. What is given
 *  must outlive them.
 *  @return MHO_OK; MHO_ECONFIG for a text that is none; MHO_ENOMEM. */
mho_err mho__stdp_waves_new(const char *row, const char *column, const mho_device_model *model,
                            const void *params, const mho_device_config *config,
                            mho_stdp_waves **out, mho_errinfo *ei);
/** One of them from its text; `name` is its key. */
mho_err mho__stdp_wave_parse(const char *name, const char *text, mho_wave *out, mho_errinfo *ei);
/** Frees waveforms; NULL is allowed. */
void mho__stdp_waves_free(mho_stdp_waves *w);
/** MHO_ECONFIG where the waveforms have more steps of dt seconds than can be tabulated. */
mho_err mho__stdp_waves_fit(const mho_stdp_waves *w, double dt, mho_errinfo *ei);
/** What a step of dt seconds does to a device, for every age of its lines; nothing where that is
 *  known.
 *  @return as mho__stdp_waves_fit and mho__overlap_feel. */
mho_err mho__stdp_waves_tabulate(mho_stdp_waves *w, double dt, mho_errinfo *ei);
/** A step of the clock for n lines: those that spike begin anew, the others go on until their
 *  waveform is over.
 *  @param age  [n] steps since the spike, 1 in its own; 0: nothing is on the line. */
void mho__stdp_waves_age(const mho_stdp_waves *w, bool is_row, size_t n, const mho_real *spike,
                         mho_real *age);
/** What a step does to the cells of a crossbar: all between two lines of which one has a waveform.
 *  @param row  [rows], column [cols]: ages.
 *  @return whether any cell has moved. */
bool mho__stdp_waves_move(const mho_stdp_waves *w, mho_crossbar *x, const mho_real *row,
                          const mho_real *column, mho_pulse_counts *counts);

#endif
