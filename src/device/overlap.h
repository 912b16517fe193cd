/* overlap.h - the waveforms of two lines over the device between them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_OVERLAP_H
#define MHO_DEVICE_OVERLAP_H

#include "device/waveform.h"
#include "mho/model/device.h"

/** A device, the lines at it, and how it answers any voltage. */
typedef struct mho_overlap {
  const mho_device_model *model;
  const void *params;
  const mho_device_config *config;
  mho_wave row, column;
  double volts[2], width[2]; /**< of the SET and RESET pulse that its answer is measured in */
} mho_overlap;

/** Stretches of one polarity: how many whole pulses each comes to. */
enum { MHO_STRETCHES = 256 };
typedef struct mho_stretches {
  int n;
  struct {
    bool set;
    double pulses;
  } of[MHO_STRETCHES];
} mho_stretches;

/** What the fields above need of a device whose waveforms are there already. */
void mho__overlap_device(mho_overlap *o, const mho_device_model *model, const void *params,
                         const mho_device_config *config);
/** What the device feels for some seconds, in order.
 *  @param row     s since the spike of the row when they begin, below 0 before it; NAN: none.
 *  @param column  the same of the column.
 *  @return MHO_OK; MHO_ENOMEM; MHO_EUNSUPPORTED where the polarity turns too often. */
mho_err mho__overlap_feel(const mho_overlap *o, double row, double column, double seconds,
                          mho_stretches *out, mho_errinfo *ei);
/** The same of two spikes from the first to the end of both waveforms.
 *  @param difference  s from the spike of the row to that of the column. */
mho_err mho__overlap_pair(const mho_overlap *o, double difference, mho_stretches *out,
                          mho_errinfo *ei);
/** Where stretches take the mean device from state g, normalized, in double precision.
 *  @param cell  a bank of one cell of the device's mean (mho_device_mean). */
double mho__overlap_move(mho_cells *cell, const mho_stretches *s, double g);

#endif
