/* innovations.c - what pulse data say beyond a model's prediction: a scalar extended Kalman filter
 * over each track.
 *
 *   predict  g- = F(g+),  P- = F'^2 P + Q,  Q the noise of the pulses
 *   correct  e = y - g-,  S = P- + R,  K = P-/S,  g+ = g- + K e,  P = (1 - K) P-,
 *            R the noise of a reading
 *
 * The likelihood of a reading is that of a mixture, 0.99 of the normal distribution with S and 0.01
 * of any place in what the data span: an outlier costs as much as another, and every reading behind
 * the first of a track counts, whatever the model, so that the likelihoods of two models compare.
 *
 * With R = 0 the gain is 1 and the innovations are the increments against the step at the last
 * reading; with Q = 0 it falls to 0 and they are the distances from one curve. Between the two each
 * reading has the weight of what it tells.
 *
 * Source: A. H. Jazwinski, Stochastic Processes and Filtering Theory (1970), chapter 8.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "device/fit/fit.h"

/* ---------------------------------------------------------------- a model on one cell */

void mho__fit_cell_set(mho_fit_cell *c, const void *params, double up, double down) {
  enum { N = MHO_DEVICE_BLOCK };
  float u[N], d[N], zero[N], one[N], *col[MHO_DEVICE_COLUMNS];
  for (int k = 0; k < MHO_DEVICE_COLUMNS; k++)
    col[k] = c->column[k];
  for (int i = 0; i < N; i++) {
    u[i] = (float)up;
    d[i] = (float)down;
    zero[i] = 0;
    one[i] = 1;
  }
  mho_device_draw draw = {N, c->config->g_min, c->config->g_max, u, d, zero, one};
  c->model->columns(params, &draw, col);
}

/* States side by side under a pulse each. */
typedef struct lanes {
  int n;
  float g[MHO_DEVICE_BLOCK], dir[MHO_DEVICE_BLOCK], amplitude[MHO_DEVICE_BLOCK];
} lanes;

/* One pulse on the states within 0..1, in place. */
static void pulse_once(const mho_fit_cell *c, lanes *l) {
  enum { N = MHO_DEVICE_BLOCK };
  static const float low[N], xi[N];
  float high[N], out[N];
  for (int i = 0; i < l->n; i++)
    high[i] = 1;

  mho_device_block b = {.n = l->n,
                        .g = l->g,
                        .dir = l->dir,
                        .xi = xi,
                        .low = low,
                        .high = high,
                        .amplitude = c->amplitude ? l->amplitude : NULL,
                        .shared = c->shared,
                        .out = out};
  for (int j = 0; j < c->model->n_columns; j++)
    b.col[j] = c->column[j];
  c->model->pulse(&b);

  for (int i = 0; i < l->n; i++)
    l->g[i] = within(l->g[i] + out[i], 0, 1);
}

/* What comes before a reading: pulses of one strength; that of a sweep in so many parts that none
 * drives further than a quarter of the range, but for those that cross it anyway. The first two
 * columns of a model that knows voltages
 * are the drives of its own pulses (voltage.h). */
typedef struct move {
  int count;
  float dir, amplitude;
} move;

static move move_to(const mho_fit_cell *c, const mho_pulse_data *d, int i) {
  enum { PARTS_MAX = 16 };
  static const double FAR = 0.25;
  move m = {d->count[i], (float)d->direction[i], 1};
  if (!c->amplitude || m.count < 1)
    return m;

  double strength = c->amplitude[i], own = fabs((double)c->column[m.dir < 0][0]);
  m.count = strength > 0 ? (int)fmin(ceil(strength * own / FAR), PARTS_MAX) : 0;
  m.amplitude = m.count ? (float)(strength / m.count) : 0;
  return m;
}

/* n states side by side, each moved to its reading, within 0..1 and in place. */
static void move_many(const mho_fit_cell *c, int n, const move *m, float *g) {
  int at[MHO_DEVICE_BLOCK], most = 0;
  lanes l = {.n = 0};
  for (int i = 0; i < n; i++)
    most = mho_max(most, m[i].count);

  for (int k = 0; k < most; k++) {
    l.n = 0;
    for (int i = 0; i < n; i++)
      if (m[i].count > k) {
        at[l.n] = i;
        l.g[l.n] = g[i];
        l.amplitude[l.n] = m[i].amplitude;
        l.dir[l.n++] = m[i].dir;
      }
    pulse_once(c, &l);
    for (int i = 0; i < l.n; i++)
      g[at[i]] = l.g[i];
  }
}

/* How far a reading lies beyond a bound, signed. It is taken as at the bound, and the excess stays
 * on top unless the pulse leads back. */
static double beyond(double g) {
  if (g > 1)
    return g - 1;
  return g < 0 ? g : 0;
}

static double with_excess(double after, double before, double dir) {
  double over = beyond(before);
  return after + (over * dir > 0 ? 0 : over);
}

void mho__fit_cell_steps(const mho_fit_cell *c, const mho_pulse_data *d, int n, const int *reading,
                         double *g) {
  float at[MHO_DEVICE_BLOCK];
  move m[MHO_DEVICE_BLOCK];
  m[0] = (move){0};
  for (int i = 0; i < n; i++) {
    at[i] = within((float)g[i], 0, 1);
    m[i] = move_to(c, d, reading[i]);
  }
  move_many(c, n, m, at);
  for (int i = 0; i < n; i++)
    g[i] = with_excess((double)at[i], g[i], (double)m[i].dir);
}

double mho__fit_cell_step(const mho_fit_cell *c, const mho_pulse_data *d, int i, double g,
                          double *slope) {
  /* the second state is for the slope, by a difference towards the middle of the range */
  const float h = g > 0.5 ? -1e-3f : 1e-3f;
  float at[2] = {within((float)g, 0, 1)};
  move m[2] = {move_to(c, d, i), move_to(c, d, i)};
  at[1] = at[0] + h;

  float from = at[0], other = at[1];
  move_many(c, slope ? 2 : 1, m, at);
  if (slope)
    *slope = (double)(at[1] - at[0]) / (double)(other - from);
  return with_excess((double)at[0], g, (double)m[0].dir);
}

/* ---------------------------------------------------------------- the filter with given gains */

static double normalized(const mho_fit_cell *c, double siemens) {
  return (siemens - c->config->g_min) / mho__fit_range(c->config);
}

/* Tracks side by side, at most MHO_DEVICE_BLOCK: where each of them is, NaN before its first
 * reading. */
typedef struct bundle {
  int t0, n; /* first track, tracks */
  double state[MHO_DEVICE_BLOCK], predicted[MHO_DEVICE_BLOCK];
} bundle;

/* The k-th reading of track t of the bundle, -1 behind its last. */
static int reading(const mho_pulse_data *d, const bundle *b, int t, int k) {
  int i = d->first[b->t0 + t] + k;
  return i < d->first[b->t0 + t + 1] ? i : -1;
}

/* What the model predicts for the k-th reading of all tracks; NaN for those that are not under
 * way, or of which nobody knows what came before. */
static void predict(const mho_fit_cell *c, const mho_pulse_data *d, bundle *b, int k) {
  enum { N = MHO_DEVICE_BLOCK };
  double g[N];
  int track[N], at[N], m = 0;
  for (int t = 0; t < b->n; t++) {
    int i = reading(d, b, t, k);
    b->predicted[t] = (double)NAN;
    if (i < 0 || !isfinite(b->state[t]) || d->count[i] < 0)
      continue;
    track[m] = t;
    at[m] = i;
    g[m++] = b->state[t];
  }

  if (m)
    mho__fit_cell_steps(c, d, m, at, g);
  for (int i = 0; i < m; i++)
    b->predicted[track[i]] = g[i];
}

/* The state of a track after reading y, and in e what the reading says beyond the prediction. */
static double correct(double predicted, double y, double gain, bool running, double *e) {
  *e = 0;
  if (!isfinite(y))
    return predicted;
  if (!running || gain < 0)
    return y;
  *e = y - predicted;
  return predicted + gain * *e;
}

static void filter_bundle(const mho_fit_cell *c, const mho_pulse_data *d,
                          const mho_fit_gains *gains, bundle *b, double *residual,
                          double *innovation, double *step) {
  double range = mho__fit_range(c->config);
  int longest = 0;
  for (int t = 0; t < b->n; t++) {
    longest = mho_max(longest, d->first[b->t0 + t + 1] - d->first[b->t0 + t]);
    b->state[t] = (double)NAN;
  }

  for (int k = 0; k < longest; k++) {
    predict(c, d, b, k);
    for (int t = 0; t < b->n; t++) {
      int i = reading(d, b, t, k);
      if (i < 0)
        continue;
      bool running = isfinite(b->predicted[t]);
      double before = b->state[t], e;
      b->state[t] = correct(b->predicted[t], normalized(c, d->g[i]), gains->gain[i], running, &e);
      if (step)
        step[i] = running ? b->predicted[t] - before : 0;
      if (innovation)
        innovation[i] = e;
      if (residual)
        residual[i] = gains->weight[i] > 0 ? e * range * gains->weight[i] : 0;
    }
  }
}

void mho__fit_filter(const mho_fit_cell *c, const mho_pulse_data *d, const mho_fit_gains *gains,
                     double *residual, double *innovation, double *step) {
  for (int t0 = 0; t0 < d->tracks; t0 += MHO_DEVICE_BLOCK) {
    bundle b = {.t0 = t0, .n = mho_min(d->tracks - t0, MHO_DEVICE_BLOCK)};
    filter_bundle(c, d, gains, &b, residual, innovation, step);
  }
}

/* ---------------------------------------------------------------- gains from the noise */

/* The filter over one track. */
typedef struct track_filter {
  const mho_fit_cell *c;
  const mho_fit_noise *noise;
  double gate, r2; /* r2 = R */
  bool edges;
  double g, p; /* state (NaN before the first reading) and its variance */
  bool off;    /* the reading before was an outlier */
  double span; /* of the data, normalized */
  mho_fit_line *line;
  bool recorded; /* the line is there already */
  mho_fit_score *score;
} track_filter;

static const double OUTLIERS = 0.01; /* of the readings, in the likelihood */
static const double SQRT_2_PI = 2.5066282746310002;

/* Log density of an innovation of variance s, in what the data span. */
static double log_density(const track_filter *f, double e, double s) {
  double normal = exp(-0.5 * e * e / s) / (SQRT_2_PI * sqrt(s)) * f->span;
  return log((1 - OUTLIERS) * normal + OUTLIERS);
}

/* The track begins, or begins anew, at reading y. */
static void start_at(track_filter *f, double y, double *gain) {
  f->g = y;
  f->p = f->r2;
  *gain = -1;
}

/* Predict across the pulses before reading i; the variance that they add. */
static double predict_one(track_filter *f, const mho_pulse_data *d, int i, bool abrupt) {
  double slope, before = f->g;
  int count = d->count[i];
  if (f->recorded) {
    slope = f->line->slope[i];
    f->g = f->line->to[i] + slope * (before - f->line->from[i]);
  } else {
    f->g = mho__fit_cell_step(f->c, d, i, before, &slope);
  }

  if (f->line && !f->recorded) {
    f->line->from[i] = before;
    f->line->to[i] = f->g;
    f->line->slope[i] = slope;
  }

  /* of n pulses each has its own noise; that of an abrupt RESET does not grow with the way down */
  double step = count > 0 ? fabs(f->g - before) / sqrt(count) : 0;
  double relative = abrupt ? 0 : f->noise->relative;
  double q = count * f->noise->add * f->noise->add + relative * relative * step * step;
  f->p = fmin(slope * slope, 1) * f->p + q;
  return q;
}

/* Whether a bound may have cut off what is predicted: the one that the pulse leads to by all that
 * is not known of the state, the other by the noise of the pulse. */
static bool is_clipped(const track_filter *f, int direction, double q) {
  double towards = 3 * sqrt(f->p), back = 3 * sqrt(q);
  double below = direction < 0 ? towards : back, above = direction > 0 ? towards : back;
  return f->g - below < 0 || f->g + above > 1;
}

/* One reading of the track. */
static void filter_reading(track_filter *f, const mho_pulse_data *d, int i, mho_fit_gains *gains) {
  double y = normalized(f->c, d->g[i]);
  gains->gain[i] = gains->weight[i] = 0;
  if (d->count[i] < 0)
    f->g = (double)NAN;
  if (!isfinite(f->g)) {
    if (isfinite(y))
      start_at(f, y, &gains->gain[i]);
    return;
  }

  bool abrupt = f->c->model->one_way && d->direction[i] < 0;
  double q = predict_one(f, d, i, abrupt);
  if (!isfinite(y))
    return;

  /* after two outliers in succession the cell itself has moved */
  double s = f->p + f->r2 + 1e-15, e = y - f->g;
  f->score->readings++;
  f->score->likelihood += log_density(f, e, s);
  if (fabs(e) > f->gate * sqrt(s)) {
    f->score->outliers++;
    if (f->off)
      start_at(f, y, &gains->gain[i]);
    f->off = !f->off;
    return;
  }
  f->off = false;

  double k = f->p > 0 ? f->p / s : 0;
  gains->gain[i] = k;
  bool clipped = f->edges && !abrupt && is_clipped(f, d->direction[i], q);
  if (!clipped) {
    gains->weight[i] = 1 / (mho__fit_range(f->c->config) * sqrt(s));
    f->score->used++;
  }

  f->g += k * e;
  f->p *= 1 - k;
}

/* The filter over all tracks. */
static mho_fit_score filter_all(const mho_fit_cell *c, const mho_pulse_data *d,
                                const mho_fit_noise *noise, const mho_fit_rules *rules,
                                mho_fit_line *line, bool recorded, mho_fit_gains *gains) {
  mho_fit_score score = {0};
  track_filter f = {.c = c,
                    .noise = noise,
                    .gate = rules->gate,
                    .r2 = noise->read * noise->read,
                    .edges = rules->edges,
                    .span = rules->span / mho__fit_range(c->config),
                    .line = line,
                    .recorded = recorded,
                    .score = &score};
  for (int t = 0; t < d->tracks; t++) {
    f.g = (double)NAN;
    f.p = 0;
    f.off = false;
    for (int i = d->first[t]; i < d->first[t + 1]; i++)
      filter_reading(&f, d, i, gains);
  }
  return score;
}

mho_fit_score mho__fit_gains_set(const mho_fit_cell *c, const mho_pulse_data *d,
                                 const mho_fit_noise *noise, const mho_fit_rules *rules,
                                 mho_fit_gains *gains) {
  return filter_all(c, d, noise, rules, NULL, false, gains);
}

void mho__fit_line_set(const mho_fit_cell *c, const mho_pulse_data *d, const mho_fit_noise *noise,
                       const mho_fit_rules *rules, mho_fit_gains *scratch, mho_fit_line *line) {
  for (int i = 0; i < d->n; i++)
    line->from[i] = line->to[i] = line->slope[i] = 0;
  filter_all(c, d, noise, rules, line, false, scratch);
}

mho_fit_score mho__fit_score_along(const mho_fit_cell *c, const mho_pulse_data *d,
                                   const mho_fit_noise *noise, const mho_fit_rules *rules,
                                   mho_fit_line *line, mho_fit_gains *scratch) {
  return filter_all(c, d, noise, rules, line, true, scratch);
}
