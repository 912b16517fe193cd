/* periphery.c - a crossbar read through its circuits: read noise of the devices.
 *
 * Noise of a read is drawn for the column sum, with its exact variance, not cell by cell:
 *
 *   var_j = sum_i x_i^2 (sigma+_ij^2 + sigma-_ij^2)/g_unit^2
 *
 * constant noise: sigma = n (g_max - g_min), so var_j = 2 (n w_max)^2 |x|^2; proportional noise: sigma = n G,
 * so G+^2 + G-^2 enters, not W^2. Reads of different lines and steps are independent; the deviate of a line
 * is named by (update, phase, step) as far as noise.redraw says.
 *
 * The sum of independent Gaussian cells is Gaussian, so nothing is approximated.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/product.h"
#include "base/vmath.h"

typedef struct periphery {
  double read_noise;
  int law, redraw;
} periphery;

enum { LAW_CONSTANT, LAW_PROPORTIONAL };
enum { REDRAW_READ, REDRAW_PHASE, REDRAW_SAMPLE };

static const mho_param table[] = {
    MHO_P_REAL(periphery, read_noise, "read_noise", "", 0, 0, 10,
               "standard deviation of a device's conductance at a read, of the range or of itself"),
    MHO_P_CHOICE(periphery, law, "noise.law", "constant|proportional", 0,
                 "read_noise is a fraction of the range, or of the conductance"),
    MHO_P_CHOICE(periphery, redraw, "noise.redraw", "read|phase|sample", 0,
                 "noise is new at every product, once a phase, or once a sample (the same in both phases)"),
};

static bool noisy(const void *params) {
  return ((const periphery *)params)->read_noise > 0;
}

static void refresh(mho_crossbar *x, size_t first, size_t n) {
  const periphery *p = x->params;
  if (!x->variance)
    return;
  double unit = p->read_noise * x->w_max;
  mho_real constant = (mho_real)(2 * unit * unit);
  if (p->law == LAW_CONSTANT || !x->pos) {
    /* without devices there is no conductance to be proportional to: the weight is, 2 n^2 w^2 as of an even
     * pair */
    for (size_t i = first; i < first + n; i++)
      x->variance[i] = p->law == LAW_CONSTANT
                           ? constant
                           : (mho_real)(2 * p->read_noise * p->read_noise) * x->w[i] * x->w[i];
    return;
  }
  double offset = x->pos->g_min / (x->pos->g_max - x->pos->g_min); /* G = (g + offset)(g_max - g_min) */
  for (size_t i = first; i < first + n; i++) {
    double a = (double)x->pos->g[i] + offset, b = (double)x->neg->g[i] + offset;
    x->variance[i] = (mho_real)(unit * unit * (a * a + b * b));
  }
}

static uint64_t noise_step(const periphery *p, const mho_clock *c) {
  uint64_t phase = p->redraw == REDRAW_SAMPLE ? 0 : (uint64_t)c->phase;
  uint64_t step = p->redraw == REDRAW_READ ? (uint64_t)c->step : 0;
  return c->update << 20 | phase << 16 | (step & 0xffff);
}

static void add_noise(const mho_crossbar *x, const mho_read *r) {
  const periphery *p = x->params;
  int in = mho_read_inputs(x, r), out = mho_read_outputs(x, r);
  size_t n_in = (size_t)r->n * (size_t)in, n_out = (size_t)r->n * (size_t)out;
  mho_real *squares = r->scratch, *var = squares + n_in;
  for (size_t i = 0; i < n_in; i++)
    squares[i] = r->x[i] * r->x[i];
  if (p->law == LAW_CONSTANT) { /* the same for every line: one sum a sample */
    for (int s = 0; s < r->n; s++) {
      mho_real sum = 0;
      for (int i = 0; i < in; i++)
        sum += squares[(size_t)s * (size_t)in + (size_t)i];
      for (int j = 0; j < out; j++)
        var[(size_t)s * (size_t)out + (size_t)j] = sum * x->variance[0];
    }
  } else {
    mho_gemm(false, r->transposed, r->n, out, in, 1, squares, in, x->variance, x->cols, 0, var, out);
  }
  enum { PART = 1024 };
  float xi[PART];
  mho_rng rng = x->read_noise;
  rng.stream += r->transposed; /* the other direction has other sense lines */
  uint64_t cell0 = (uint64_t)r->sample0 * (uint64_t)out;
  for (size_t i0 = 0; i0 < n_out; i0 += PART) {
    size_t m = n_out - i0 < PART ? n_out - i0 : PART;
    mho_rng_normal(rng, noise_step(p, &r->clock), cell0 + i0, m, xi);
    for (size_t i = 0; i < m; i++)
      r->y[i0 + i] += r->scale * real_sqrt(var[i0 + i]) * (mho_real)xi[i];
  }
}

static void read_array(const mho_crossbar *x, const mho_read *r) {
  mho_array_product(x, r);
  if (x->variance)
    add_noise(x, r);
}

const mho_array_model mho_array_periphery = {
    .entry = {.abi = MHO_ABI,
              .id = "periphery",
              .title = "products with read noise",
              .equation = "var_j = sum_i x_i^2 (sigma+_ij^2 + sigma-_ij^2)/g_unit^2",
              .source = "exact column sum of independent Gaussian cells",
              .params = MHO_PARAMS(periphery, table)},
    .noisy = noisy,
    .refresh = refresh,
    .read = read_array,
};
