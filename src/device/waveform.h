/* waveform.h - the voltage that a line has after a spike of its own.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DEVICE_WAVEFORM_H
#define MHO_DEVICE_WAVEFORM_H

#include "mho/base.h"

enum { MHO_WAVE_PIECES = 16 };

/** A piece: a + b t + c exp(-t/tau) volts, t from its start. */
typedef struct mho_wave_piece {
  double start, end; /**< s since the spike */
  double a, b, c, tau;
} mho_wave_piece;

/** Pieces without gaps from the spike on; 0 V behind the last one. */
typedef struct mho_wave {
  int n;
  mho_wave_piece piece[MHO_WAVE_PIECES];
} mho_wave;

/** A waveform from its text, pieces one after another, with commas or without:
 *
 *    0.3 V for 10 us             constant
 *    0.4 V to 0 V in 50 us       a ramp
 *    0.4 V tau 20 us for 60 us   0.4 V exp(-t/20 us); tau below 0: it grows
 *
 *  An empty text is a line that stays at 0 V.
 *  @return MHO_OK; MHO_ECONFIG with what is wrong in which piece (no place). */
mho_err mho__wave_parse(const char *text, mho_wave *out, mho_errinfo *ei);
/** Volts at t seconds since the spike; 0 before it, and for t that is not finite. */
double mho__wave_volts(const mho_wave *w, double t);
/** When it is over, s since the spike; 0 of a line that stays at 0 V. */
double mho__wave_end(const mho_wave *w);

#endif
