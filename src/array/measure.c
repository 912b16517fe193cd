/* measure.c - states of analog neurons, brought out through sense amplifiers and converters.
 *
 * Digitally every state is converted on its own; with analog differencing the difference of the two
 * held states is amplified and converted. The amplifiers' noise is in every state that is brought
 * out, before any gain.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "array/periphery.h"

/* to = the states of a phase as the sense amplifiers bring them out, of one sample. */
static void sense(const mho_crossbar *x, const mho_measure *m, const mho_real *from, int phase,
                  int sample, int repeat, mho_real *to) {
  enum { DRAWN = 256 }; /* numbers at a time */
  const mho_periphery *p = x->params;
  const mho_periphery_own *own = x->own;
  mho_real sigma = (mho_real)(p->output_noise * p->dac_range);

  memcpy(to, from, (size_t)m->width * sizeof *to);
  if (!(sigma > 0))
    return;

  mho_rng rng = mho__stream_measured(x->read_noise, m->layer, repeat);
  uint64_t moment = mho__periphery_moment(own->redraw, m->update, phase, MHO_STEP_READ_OUT);
  uint64_t cell0 = (uint64_t)(m->sample0 + sample) * (uint64_t)m->width;
  for (int i0 = 0; i0 < m->width; i0 += DRAWN) {
    float xi[DRAWN];
    int n = mho_min(m->width - i0, DRAWN);
    mho_rng_normal(rng, moment, cell0 + (uint64_t)i0, (size_t)n, xi);
    for (int i = 0; i < n; i++)
      to[i0 + i] += sigma * (mho_real)xi[i];
  }
}

/* Into numbers, in place, over the full scale of an activity. */
static void digitize(const mho_periphery *p, int n, mho_real least_gain, mho_real *v) {
  mho_real full = (mho_real)p->dac_range, gain = least_gain;
  if (!p->adc_bits)
    return;
  if (mho__periphery_ranges_outputs(p))
    gain = mho__ranging_gain(n, &full, 0, v);
  mho__convert(mho__converter_of(p->adc_bits), n, gain, &full, 0, v);
}

/* b = a - b, [n]. */
static void subtract_from(int n, const mho_real *a, mho_real *b) {
  for (int i = 0; i < n; i++)
    b[i] = a[i] - b[i];
}

/* States a and b of two phases into numbers: a, and in b their difference. */
static void digitize_both(const mho_periphery *p, int n, mho_real *a, mho_real *b) {
  if (p->differencing == MHO_DIFFERENCING_ANALOG) {
    subtract_from(n, a, b);
    digitize(p, n, (mho_real)p->difference_gain, b);
    digitize(p, n, 1, a);
  } else {
    digitize(p, n, 1, a);
    digitize(p, n, 1, b);
    subtract_from(n, a, b);
  }
}

/* sum += share v, [n]. */
static void add_share(int n, mho_real share, const mho_real *v, mho_real *sum) {
  for (int i = 0; i < n; i++)
    sum[i] += share * v[i];
}

/* Sample s, the mean of what is averaged. */
static void measure_sample(const mho_crossbar *x, const mho_measure *m, int s) {
  const mho_periphery *p = x->params;
  int n = m->width, repeats = mho__periphery_repeats(x->own, p);
  size_t row = (size_t)s * (size_t)n, bytes = (size_t)n * sizeof(mho_real);
  mho_real *a = m->scratch, *b = a + n, *sum_a = b + n, *sum_e = sum_a + n;
  mho_real share = 1 / (mho_real)repeats;

  memset(sum_a, 0, 2 * bytes);
  for (int r = 0; r < repeats; r++) {
    sense(x, m, m->a + row, m->phase_a, s, r, a);
    if (m->b) {
      sense(x, m, m->b + row, m->phase_b, s, r, b);
      digitize_both(p, n, a, b);
      add_share(n, share, b, sum_e);
    } else {
      digitize(p, n, 1, a);
    }
    add_share(n, share, a, sum_a);
  }

  memcpy(m->a + row, sum_a, bytes);
  if (m->b)
    memcpy(m->e + row, sum_e, bytes);
}

bool mho__periphery_measures(const void *params) {
  const mho_periphery *p = params;
  return p->coupling == MHO_COUPLING_ANALOG && (p->adc_bits || p->output_noise > 0);
}

void mho__periphery_measure(const mho_crossbar *x, const mho_measure *m) {
  for (int s = 0; s < m->n; s++)
    measure_sample(x, m, s);
}
