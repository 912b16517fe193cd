/* converter.c - converters between numbers and voltages: quantization, full scale, and the gain before them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "array/periphery.h"
#include "base/vmath.h"

void mho_convert(mho_converter c, int n, mho_real a, const mho_real *fs, int stride, mho_real *x) {
  mho_real most = c.most;
  if (stride == 0) { /* the usual case, without a division an entry */
    mho_real to = most * a / fs[0], from = fs[0] / (most * a);
    for (int i = 0; i < n; i++) {
      mho_real code = real_rint(x[i] * to);
      code = code > most ? most : code;
      x[i] = (code < -most ? -most : code) * from;
    }
    return;
  }
  for (int i = 0; i < n; i++) {
    mho_real code = real_rint(x[i] * most * a / fs[i]);
    code = code > most ? most : code;
    x[i] = (code < -most ? -most : code) * fs[i] / (most * a);
  }
}

mho_real mho_ranging_gain(int n, const mho_real *fs, int stride, const mho_real *x) {
  mho_real most = 0;
  for (int i = 0; i < n; i++) {
    mho_real v = real_abs(x[i]) / fs[i * stride];
    most = v > most ? v : most;
  }
  if (!(most > 0))
    return 1;
  int k = -ilogb((double)most) - 1; /* 2^k most lies in [1/2, 1) */
  if (ldexp((double)most, k + 1) <= 1)
    k++; /* most is a power of 2 */
  k = k > MHO_RANGING_BITS ? MHO_RANGING_BITS : k < -MHO_RANGING_BITS ? -MHO_RANGING_BITS : k;
  return (mho_real)ldexp(1, k);
}

/* ---------------------------------------------------------------- measured states */

/* to = the states of a phase as the sense amplifiers bring them out, of one sample. */
static void sense(const mho_crossbar *x, const mho_measure *m, const mho_real *from, int phase,
                  int sample, int repeat, mho_real *to) {
  enum { PART = 256 };
  const mho_periphery *p = x->params;
  const mho_periphery_own *own = x->own;
  mho_real sigma = (mho_real)(p->output_noise * p->dac_range);
  mho_rng rng = mho_stream_measured(x->read_noise, m->layer, repeat);
  uint64_t cell0 = (uint64_t)(m->sample0 + sample) * (uint64_t)m->width;
  memcpy(to, from, (size_t)m->width * sizeof *to);
  for (int i0 = 0; i0 < m->width && sigma > 0; i0 += PART) {
    float xi[PART];
    int n = m->width - i0 < PART ? m->width - i0 : PART;
    uint64_t moment = mho_periphery_moment(own->redraw, m->update, phase, MHO_STEP_READ_OUT);
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
  if (p->ranging == MHO_RANGING_OUTPUT || p->ranging == MHO_RANGING_BOTH)
    gain = mho_ranging_gain(n, &full, 0, v);
  mho_convert(mho_converter_of(p->adc_bits), n, gain, &full, 0, v);
}

/* Digitally every state is converted on its own; with analog differencing the difference of the two held states is
 * amplified and converted. The amplifiers' noise is in every state that is brought out, before any gain. */
static void measure_sample(const mho_crossbar *x, const mho_measure *m, int s) {
  const mho_periphery *p = x->params;
  int n = m->width, repeats = mho_periphery_repeats(x->own, p);
  size_t row = (size_t)s * (size_t)n;
  mho_real *a = m->scratch, *b = a + n, *sum_a = b + n, *sum_e = sum_a + n,
           part = 1 / (mho_real)repeats;
  memset(sum_a, 0, 2 * (size_t)n * sizeof *sum_a);
  for (int r = 0; r < repeats; r++) {
    sense(x, m, m->a + row, m->phase_a, s, r, a);
    if (m->b) {
      sense(x, m, m->b + row, m->phase_b, s, r, b);
      if (p->differencing == MHO_DIFFERENCING_ANALOG) {
        for (int i = 0; i < n; i++)
          b[i] = a[i] - b[i];
        digitize(p, n, (mho_real)p->difference_gain, b);
        digitize(p, n, 1, a);
      } else {
        digitize(p, n, 1, a);
        digitize(p, n, 1, b);
        for (int i = 0; i < n; i++)
          b[i] = a[i] - b[i];
      }
      for (int i = 0; i < n; i++)
        sum_e[i] += part * b[i];
    } else {
      digitize(p, n, 1, a);
    }
    for (int i = 0; i < n; i++)
      sum_a[i] += part * a[i];
  }
  memcpy(m->a + row, sum_a, (size_t)n * sizeof *sum_a);
  if (m->b)
    memcpy(m->e + row, sum_e, (size_t)n * sizeof *sum_e);
}

bool mho_periphery_measures(const void *params) {
  const mho_periphery *p = params;
  return p->coupling == MHO_COUPLING_ANALOG && (p->adc_bits || p->output_noise > 0);
}

void mho_periphery_measure(const mho_crossbar *x, const mho_measure *m) {
  for (int s = 0; s < m->n; s++)
    measure_sample(x, m, s);
}
