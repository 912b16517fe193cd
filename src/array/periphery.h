/* periphery.h - the electronics around a crossbar: what they are told, and what they keep.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_PERIPHERY_H
#define MHO_ARRAY_PERIPHERY_H

#include "array/product.h"
#include "base/streams.h"

typedef struct mho_periphery {
  double read_noise;
  int law, redraw;
  int64_t dac_bits, adc_bits, slices;
  double dac_range, adc_full_scale;
  int adc_range, adc_columns;
  int64_t calibration_every;
  double calibration_margin, calibration_percentile;
  double input_noise, output_noise, saturation;
  double gain, offset, input_gain, input_offset; /* mismatch */
  int64_t average;
  int ranging, coupling, differencing, tiles;
  double difference_gain;
} mho_periphery;

enum { MHO_NOISE_CONSTANT, MHO_NOISE_PROPORTIONAL };
enum { MHO_REDRAW_AUTO, MHO_REDRAW_READ, MHO_REDRAW_PHASE, MHO_REDRAW_SAMPLE };
enum { MHO_ADC_CALIBRATED, MHO_ADC_FIXED };
enum { MHO_ADC_SHARED, MHO_ADC_OWN };
enum { MHO_RANGING_NONE, MHO_RANGING_INPUT, MHO_RANGING_OUTPUT, MHO_RANGING_BOTH };
enum { MHO_COUPLING_DIGITAL, MHO_COUPLING_ANALOG };
enum { MHO_DIFFERENCING_DIGITAL, MHO_DIFFERENCING_ANALOG };
enum { MHO_TILES_DIGITAL, MHO_TILES_ANALOG };
enum {
  MHO_CONVERTER_BITS = 20, /* of a float's 24: codes and their steps stay exact */
  MHO_RANGING_BITS = 10,   /* a ranging amplifier's gain is a power of 2, from 1/1024 to 1024 */
  MHO_AVERAGE_MAX = MHO_STREAM_REPEATS,
};

/* What a crossbar of this model keeps; [2]: forward, transposed. */
typedef struct mho_periphery_own {
  bool noisy;            /* cells are, whoever says so: the array, or else the devices */
  int redraw_cells;      /* MHO_REDRAW_..., never auto, of the noise of the cells ... */
  int redraw;            /* ... and of drivers and amplifiers */
  mho_real *variance;    /* [rows x cols] of a weight at unit input; NULL: all alike, ... */
  mho_real constant;     /* ... namely this */
  int law;               /* I-V, of the devices */
  double iv[3], voltage; /* its b, k2, k3; V of an activity of 1 */
  /** [rows x cols] what goes with v^2 and v^3 where that differs from cell to cell; else NULL. */
  mho_real *square, *cube;
  int depth[2];       /* inputs whose currents one converter sees: those of a tile, or all */
  int conversions[2]; /* sums that are converted apart for an output: tiles, or 1 */
  /** [conversions x outputs] of the sense lines; NULL without mismatch. */
  mho_real *gain[2], *offset[2];
  /** [inputs] of the drivers; NULL without mismatch. */
  mho_real *input_gain[2], *input_offset[2];
} mho_periphery_own;

/** Whether amplifiers with a gain for every vector stand before the drivers' converters. */
static inline bool mho__periphery_ranges_inputs(const mho_periphery *p) {
  return p->ranging == MHO_RANGING_INPUT || p->ranging == MHO_RANGING_BOTH;
}

/** The same of the sense lines' converters. */
static inline bool mho__periphery_ranges_outputs(const mho_periphery *p) {
  return p->ranging == MHO_RANGING_OUTPUT || p->ranging == MHO_RANGING_BOTH;
}

/* What names the deviates of a read: new ones at every product, once a phase, or once a sample. */
static inline uint64_t mho__periphery_moment(int redraw, uint64_t update, int phase, int step) {
  int drawn_phase = redraw == MHO_REDRAW_SAMPLE ? 0 : phase;
  int drawn_step = redraw == MHO_REDRAW_READ ? step : 0;
  return mho__step_read(update, drawn_phase, drawn_step);
}

/* Reads that are averaged: deviates that stay the same do not average out, and without noise one
 * read is enough. */
static inline int mho__periphery_repeats(const mho_periphery_own *o, const mho_periphery *p) {
  bool cells = o->noisy && o->redraw_cells == MHO_REDRAW_READ;
  bool others = (p->input_noise > 0 || p->output_noise > 0) && o->redraw == MHO_REDRAW_READ;
  return cells || others ? (int)p->average : 1;
}

/* A converter of `bits` bits over +-full_scale: 2^bits - 1 codes around 0, so that 0 is one of them
 * and the step is full_scale/(2^(bits-1) - 1). */
typedef struct mho_converter {
  mho_real most; /* largest code; 0: no converter */
} mho_converter;

static inline mho_converter mho__converter_of(int64_t bits) {
  return (mho_converter){bits ? (mho_real)(((int64_t)1 << (bits - 1)) - 1) : 0};
}
/* Slices of a driver's code of `bits` bits. Beside its sign it has bits - 1, which are cut into
 * digits of `digit` bits each, of the last one maybe fewer. A digit drives its line with the part
 * digit/top of the full scale; the code is the sum of the digits times 2^(digit k), the value the
 * sum of what they drive, times `weight` of each, over the full scale. */
typedef struct mho_slicing {
  int n, digit;
  mho_real top, most; /* largest digit, largest code */
} mho_slicing;

static inline mho_slicing mho__slicing_of(int64_t bits, int64_t slices) {
  int n = bits ? (int)slices : 1, beside = mho_max((int)bits - 1, 1), digit = (beside + n - 1) / n;
  return (mho_slicing){n, digit, (mho_real)((1 << digit) - 1), mho__converter_of(bits).most};
}
/* What a number of the driven digits of slice k counts for. */
static inline mho_real mho__slice_weight(const mho_slicing *s, int k) {
  return s->n > 1 ? (mho_real)(1 << s->digit * k) * s->top / s->most : 1;
}
/** What slice k of the n numbers x, codes of a full scale, drives its lines with. */
void mho__slice(const mho_slicing *s, int k, int n, mho_real full, const mho_real *x,
                mho_real *out);
/** x[i] = the nearest code of x[i] a, over full scale fs[i] (stride 0: one for all), divided by a
 * again, [n]. */
void mho__convert(mho_converter c, int n, mho_real a, const mho_real *fs, int stride, mho_real *x);
/** The largest power of 2 that keeps every |x[i]| within fs[i], within what an amplifier can do; 1
 * for zeros. */
mho_real mho__ranging_gain(int n, const mho_real *fs, int stride, const mho_real *x);

/* ---------------------------------------------------------------- a crossbar's own
 * (periphery_state.c) */

/** Make x->own and x->scales, free them, refresh them for cells: see mho_array_model. */
mho_err mho__periphery_attach(mho_crossbar *x, const mho_crossbar_options *o, mho_errinfo *ei);
void mho__periphery_detach(mho_crossbar *x);
void mho__periphery_refresh(mho_crossbar *x, size_t first, size_t n);
/** v, voltages of lines in units of an activity, becomes what the cells make of it, by an I-V law
 *  that is the same for all of them; [n]. */
void mho__periphery_bend(const mho_periphery_own *o, size_t n, mho_real *v);

/* ---------------------------------------------------------------- full scales from data
 * (full_scale.c) */

/** Scales as the parameters want them. @return NULL without memory. */
mho_scales *mho__scales_new(int rows, int cols, const mho_periphery *p);
void mho__scales_free(mho_scales *s);
/** Take the sums of n lines of a direction, from the line numbered `first` in most, into full
 *  scales
 * that record. */
void mho__scales_widen(mho_scales *s, int first, int n, const mho_real *sum);

/* ---------------------------------------------------------------- measured states */

/** Measured states of analog neurons, see mho_array_model. */
bool mho__periphery_measures(const void *params);
void mho__periphery_measure(const mho_crossbar *x, const mho_measure *m);

#endif
