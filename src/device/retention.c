/* retention.c - what a conductance does between pulses: drift after programming, noise of a read,
 * leak of charge.
 *
 *   exponential  g(t) = rest + (g - rest) exp(-(t - t0)/tau), tau of each cell log-normal
 *   power        G(t) = G (t/t0)^-nu, nu ~ |N(nu, nu_spread)| of the sign of nu, one for each cell
 *   pcm          the same with nu = |N(mu, sigma)|, mu = clip(-.0155 ln g_r + .0244, .049, .1),
 *                sigma = clip(-.0125 ln g_r - .0059, .008, .045),
 *                g_r = G/g_max of the programmed G, at least 1e-7
 *   logarithmic  G(t) = G + a l + (s + b l) xi, l = ln(t/t0), one xi for each cell; a, s, b in S
 *   read noise   constant: sigma of the range; proportional: sigma G;
 *                pcm: G min(.0088/g_r^.65, .2) sqrt(ln((t + t_read)/(2 t_read))),
 *                G the drifted conductance and g_r again that of the programmed one;
 *                cmo: K log10(G/uS) sqrt(ln((t + t_read)/(2 t_read))), K = .0277316483 uS, of the
 *                drifted G, fitted from 8 to 90 uS with reads of 1 us; 0 below 1 uS
 *   leak         g <- rest + (g - rest) exp(-updates/lifetime), once an update (the capacitor card)
 *   write error  sigma = max(c0 + c1 G + c2 G^2 + c3 G^3, 0) of the target G of a verified write:
 *                mho_cells_write
 *
 * G = (g + zero) (g_max - g_min) in siemens, g normalized; powers of time are laws of G, not of g.
 * Times count from programming; at t0 and before, the programmed conductance holds. Open cells stay
 * open.
 *
 * Sources: pcm: V. Joshi et al., Nature Communications 11:2473 (2020), as fitted in IBM's analog
 * hardware kit; logarithmic, cmo: D. F. Falcone et al., arXiv:2502.04524 (2025), and D. G. F.
 * Lombardo et al., DRC (2024), as fitted there; write errors: Joshi 2020 (PCM), V. Milo et al.,
 * IEEE T-ED 68, 3832 (2021) (HfO2), W. Wan et al., Nature 608, 504 (2022).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/vmath.h"
#include "device/cells.h"

static double clip(double v, double low, double high) {
  if (v < low)
    return low;
  return v > high ? high : v;
}

/* Exponent of a cell that was programmed to g_r of the highest conductance. */
static double exponent(const mho_drift_config *d, double g_r, double xi) {
  if (d->law == MHO_DRIFT_POWER)
    return copysign(fabs(fabs(d->nu) + d->nu_spread * xi), d->nu);

  double x = log(fmax(g_r, 1e-7));
  return fabs(clip(-0.0155 * x + 0.0244, 0.049, 0.1) +
              clip(-0.0125 * x - 0.0059, 0.008, 0.045) * xi);
}

/* Conductance (S) of a cell whose logarithm of t/t0 is l. */
static double relaxed(const mho_drift_config *d, double siemens, double l, double xi) {
  return siemens + d->shift * l + (d->spread + d->spread_growth * l) * xi;
}

void mho_cells_drifted(const mho_cells *c, double after, size_t first, int n, float *out) {
  const mho_drift_config *d = &c->config.drift;
  double zero = (double)zero_siemens(c->g_min, c->g_max), range = c->g_max - c->g_min;
  float xi[MHO_DEVICE_BLOCK];

  for (int i = 0; i < n; i++)
    out[i] = c->g[first + (size_t)i];
  if (d->law == MHO_DRIFT_NONE || !(after > d->t0))
    return;

  mho_rng_normal(c->chip, MHO_DRAW_DRIFT, first, (size_t)n, xi);
  for (int i = 0; i < n; i++) {
    double g = (double)out[i], x = (double)xi[i];
    if (c->fault && c->fault[first + (size_t)i] == MHO_FAULT_OPEN)
      continue;
    if (d->law == MHO_DRIFT_EXPONENTIAL) {
      g = d->rest + (g - d->rest) * exp(-(after - d->t0) / (d->tau * exp(d->tau_spread * x)));
    } else if (d->law == MHO_DRIFT_LOGARITHMIC) {
      g = zero + relaxed(d, (g - zero) * range, log(after / d->t0), x) / range;
    } else {
      /* g - zero is G over the range */
      double nu = exponent(d, (g - zero) * range / c->g_max, x);
      g = zero + (g - zero) * pow(after / d->t0, -nu);
    }
    out[i] = (float)fmax(g, zero);
  }
}

bool mho_device_reads_noisy(const mho_device_config *config) {
  const mho_read_noise_config *r = &config->read_noise;
  return mho_device_noise_is_slow(config) || (r->law != MHO_READ_NOISE_NONE && r->sigma > 0);
}

bool mho_device_noise_is_slow(const mho_device_config *config) {
  int law = config->read_noise.law;
  return law == MHO_READ_NOISE_PCM || law == MHO_READ_NOISE_CMO;
}

void mho_cells_read_sigma(const mho_cells *c, double after, size_t first, int n, const float *g,
                          float *sigma) {
  const mho_read_noise_config *r = &c->config.read_noise;
  double zero = (double)zero_siemens(c->g_min, c->g_max), range = c->g_max - c->g_min;
  double t = fmax(after, c->config.drift.t0);
  double grown = sqrt(log((t + r->t_read) / (2 * r->t_read)));

  for (int i = 0; i < n; i++) {
    double above = fmax((double)g[i] - zero, 0);
    double programmed = (double)c->g[first + (size_t)i] - zero;
    double g_r = fmax(programmed * range / c->g_max, 1e-7), s = 0;
    if (r->law == MHO_READ_NOISE_CONSTANT)
      s = r->sigma;
    else if (r->law == MHO_READ_NOISE_PROPORTIONAL)
      s = r->sigma * above;
    else if (r->law == MHO_READ_NOISE_PCM)
      s = above * fmin(0.0088 / pow(g_r, 0.65), 0.2) * grown;
    else if (r->law == MHO_READ_NOISE_CMO)
      s = 0.0277316483e-6 * log10(fmax(above * range * 1e6, 1)) * grown / range;
    sigma[i] = (float)s;
  }
}

void mho_cells_leak(mho_cells *c, size_t first, size_t n, double updates) {
  const mho_device_config *d = &c->config;
  if (!(d->leak > 0))
    return;

  float xi[MHO_DEVICE_BLOCK], rest = (float)d->leak_rest, rate = (float)(updates / d->leak);
  for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
    int m = block_cells(n, i0);
    mho_rng_normal(c->chip, MHO_DRAW_LEAK, first + i0, (size_t)m, xi);
    for (int i = 0; i < m; i++) {
      size_t cell = first + i0 + (size_t)i, k = bounds_at(c, cell);
      float life = fmaxf(1 + (float)d->leak_spread * xi[i], 0.01f); /* of the mean lifetime */
      float left = expf(-rate / life), v = rest + (c->state[cell] - rest) * left;
      if (is_faulty(c, cell))
        continue;

      /* what shows moves with the charge */
      if (c->state != c->g)
        c->g[cell] += v - c->state[cell];
      c->state[cell] = within(v, c->low[k], c->high[k]);
    }
  }
}

double mho_device_write_error(const mho_device_config *config, double g) {
  double range = config->g_max - config->g_min, v = config->g_min + g * range;
  const double *e = config->error;
  return fmax(e[0] + v * (e[1] + v * (e[2] + v * e[3])), 0) / range;
}
