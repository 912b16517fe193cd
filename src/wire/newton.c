/* newton.c - arrays of nonlinear cells: Newton's method around the linear solve, and half-selected
 * devices.
 *
 * Each iteration replaces every cell by its tangent, a conductance d = di/dv beside a source i - d
 * v, and solves the linear circuit. Steps are halved until the largest misfit between the current
 * that the circuit carries through a cell and the current of its law falls. A device in series with
 * a transistor or a selector is a law of its own,
 *
 *   v = v_d + r_series i + v_s asinh(i/i_s),  i = G h(v_d),
 *
 * monotone in v_d, and is inverted cell by cell.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "wire/wire_impl.h"

enum { ITERATIONS = 60, HALVINGS = 12, INNER = 200 };
static const double MISFIT = 1e-11; /* of the largest current */

/* h(v) and its derivative. */
static double shape(const mho_wire_law *l, double v, double *slope) {
  switch (l->kind) {
  case MHO_WIRE_SINH:
    *slope = cosh(v / l->v_0);
    return l->v_0 * sinh(v / l->v_0);
  case MHO_WIRE_POLYNOMIAL:
    *slope = 1 + v * (2 * l->c_2 + 3 * l->c_3 * v);
    return v * (1 + v * (l->c_2 + l->c_3 * v));
  default:
    *slope = 1;
    return v;
  }
}

/* Halve [low, high] after a guess d beyond the answer or short of it. */
static void narrow(bool beyond, double d, double *low, double *high) {
  if (beyond)
    *high = d;
  else
    *low = d;
}

/* The voltage v_d across the device itself, by Newton's method within [low, high]; false when it is
 * not found. */
static bool device_voltage(const mho_wire_law *l, double g, double v, double *voltage) {
  double low = fmin(0, v), high = fmax(0, v), d = v, h = 0;
  for (int k = 0; k < INNER; k++) {
    double i = g * shape(l, d, &h), cell = g * h;
    if (!(h > 0) || !isfinite(i)) { /* too far out: the series elements leave less */
      narrow(v > 0, d, &low, &high);
      d = 0.5 * (low + high);
      continue;
    }

    double drop = d + l->r_series * i - v, steep = 1 + l->r_series * cell;
    if (l->v_s > 0) {
      drop += l->v_s * asinh(i / l->i_s);
      steep += l->v_s * cell / hypot(i, l->i_s);
    }
    narrow(drop > 0, d, &low, &high);
    double next = d - drop / steep;
    if (!(next > low && next < high))
      next = 0.5 * (low + high);
    if (fabs(next - d) <= 1e-15 * fabs(v) || drop == 0) {
      *voltage = d;
      return true;
    }
    d = next;
  }
  return false;
}

static bool is_series(const mho_wire_law *l) {
  return l->r_series > 0 || l->v_s > 0;
}

/* Current of a cell at voltage v and its derivative; false when the law falls there, or the
 * inversion fails. */
static bool cell_current(const mho_wire_law *l, double g, double v, double *current,
                         double *slope) {
  double d = v, h = 0;
  if (is_series(l) && !device_voltage(l, g, v, &d))
    return false;

  double i = g * shape(l, d, &h), cell = g * h;
  if (!(h > 0) || !isfinite(i))
    return false;
  double steep = 1 + l->r_series * cell + (l->v_s > 0 ? l->v_s * cell / hypot(i, l->i_s) : 0);
  *current = i;
  *slope = cell / steep;
  return isfinite(*slope);
}

typedef struct point { /* node voltages, and what the circuit carries through each cell */
  double *word, *bit, *carried;
} point;

typedef struct newton {
  mho_wire *w;
  const double *g;
  const mho_wire_law *law;
  size_t n;
  point old, new, next;
  double *current, *slope, *source; /* [n] of the law, at the old point */
} newton;

/* Largest misfit at a point; INFINITY where the law has no current. */
static double misfit(const newton *s, const point *p, double *largest, double *current,
                     double *slope) {
  double most = 0;
  *largest = 0;

  for (size_t k = 0; k < s->n; k++) {
    double i, d;
    if (!cell_current(s->law, s->g[k], p->word[k] - p->bit[k], &i, &d))
      return INFINITY;
    if (current) {
      current[k] = i;
      slope[k] = d;
    }
    most = fmax(most, fabs(p->carried[k] - i));
    *largest = fmax(*largest, fmax(fabs(i), fabs(p->carried[k])));
  }
  return most;
}

/* The linear circuit of conductances d and sources j, into p. */
static mho_err linear(newton *s, const mho_wire_read *r, const double *d, const double *j, point *p,
                      mho_errinfo *ei) {
  mho_wire_read inner = *r;
  inner.source = j;
  inner.i_word = inner.i_bit = NULL;
  inner.node_word = p->word;
  inner.node_bit = p->bit;

  mho_err err = mho_wire_set(s->w, d, ei);
  if (!err)
    err = mho_wire_solve(s->w, &inner, NULL, ei);
  if (err)
    return err;
  for (size_t k = 0; k < s->n; k++)
    p->carried[k] = d[k] * (p->word[k] - p->bit[k]) + (j ? j[k] : 0);
  return MHO_OK;
}

/* The point a step beyond the old one, of the way to the new one. */
static void between(const newton *s, double step, point *out) {
  for (size_t k = 0; k < s->n; k++) {
    out->word[k] = s->old.word[k] + step * (s->new.word[k] - s->old.word[k]);
    out->bit[k] = s->old.bit[k] + step * (s->new.bit[k] - s->old.bit[k]);
    out->carried[k] = s->old.carried[k] + step * (s->new.carried[k] - s->old.carried[k]);
  }
}

/* Start from ohmic cells, all voltages halved until the law has a current everywhere. *now: the
 * misfit; INFINITY when there is no such point. */
static mho_err start(newton *s, const mho_wire_read *r, double *now, double *largest,
                     mho_errinfo *ei) {
  enum { HALVINGS_OF_START = 40 };
  mho_err err = linear(s, r, s->g, NULL, &s->old, ei);
  if (err)
    return err;

  for (int halving = 0;; halving++) {
    *now = misfit(s, &s->old, largest, s->current, s->slope);
    if (isfinite(*now) || halving == HALVINGS_OF_START)
      return MHO_OK;
    for (size_t k = 0; k < s->n; k++) {
      s->old.word[k] *= 0.5;
      s->old.bit[k] *= 0.5;
      s->old.carried[k] *= 0.5;
    }
  }
}

/* Go as far towards the new point as lowers the misfit `now`; false when nothing does. */
static bool step_down(newton *s, double now, double *largest) {
  double step = 1;
  for (int halving = 0; halving <= HALVINGS; halving++, step *= 0.5) {
    between(s, step, &s->next);
    double then = misfit(s, &s->next, largest, NULL, NULL);
    if (then <= (1 - 0.25 * step) * now || then <= MISFIT * *largest) {
      point p = s->old;
      s->old = s->next;
      s->next = p;
      return isfinite(then);
    }
  }
  return false;
}

static mho_err iterate(newton *s, const mho_wire_read *r, int *iterations, double *left,
                       mho_errinfo *ei) {
  double largest, now;
  mho_err err = start(s, r, &now, &largest, ei);
  if (err)
    return err;

  for (*iterations = 0;; ++*iterations) {
    *left = largest > 0 ? now / largest : 0;
    if (*iterations > 0 && now <= MISFIT * largest)
      return MHO_OK;
    if (*iterations == ITERATIONS || !isfinite(now))
      break;

    /* every cell as its tangent */
    for (size_t k = 0; k < s->n; k++)
      s->source[k] = s->current[k] - s->slope[k] * (s->old.word[k] - s->old.bit[k]);
    err = linear(s, r, s->slope, s->source, &s->new, ei);
    if (err)
      return err;
    if (!step_down(s, now, &largest))
      break;
    now = misfit(s, &s->old, &largest, s->current, s->slope);
  }
  return mho_fail(ei, MHO_EDIVERGED,
                  "the nonlinear cells do not settle: after %d iterations currents still differ "
                  "by %.2g of the largest one; lower the voltages, or use a law that rises "
                  "everywhere",
                  *iterations, *left);
}

/* Currents of the ends: sums over cells, which are what the circuit carries. */
static void end_currents(const newton *s, const mho_wire_read *r) {
  size_t rows = (size_t)s->w->o.rows, cols = (size_t)s->w->o.cols;
  if (r->i_word) {
    memset(r->i_word, 0, rows * sizeof *r->i_word);
    for (size_t k = 0; k < s->n; k++)
      r->i_word[k / cols] += s->old.carried[k];
  }

  if (r->i_bit) {
    memset(r->i_bit, 0, cols * sizeof *r->i_bit);
    for (size_t k = 0; k < s->n; k++)
      r->i_bit[k % cols] += s->old.carried[k];
  }
}

static mho_err check_inputs(const mho_wire_law *law, const mho_wire_read *r, mho_errinfo *ei) {
  if (r->n != 1 || r->source)
    return mho_fail(ei, MHO_EINVAL,
                    "nonlinear cells are solved for one vector at a time, without sources");
  bool series = law->r_series >= 0 && law->v_s >= 0 && !(law->v_s > 0 && !(law->i_s > 0));
  if (!series || (law->kind == MHO_WIRE_SINH && !(law->v_0 > 0)))
    return mho_fail(ei, MHO_EINVAL,
                    "a cell's series resistance and voltages must not be negative, and v_0, i_s "
                    "positive");
  return MHO_OK;
}

/* The arrays of the points and of the law, one after another in memory for 12 of them. */
static void lay_out(newton *s, double *memory) {
  double **array[] = {&s->old.word,     &s->old.bit,     &s->old.carried, &s->new.word,
                      &s->new.bit,      &s->new.carried, &s->next.word,   &s->next.bit,
                      &s->next.carried, &s->current,     &s->slope,       &s->source};
  for (int k = 0; k < MHO_COUNT(array); k++)
    *array[k] = memory + (size_t)k * s->n;
}

mho_err mho_wire_newton(const mho_wire_options *o, const double *g, const mho_wire_law *law,
                        const mho_wire_read *r, mho_wire_stats *stats, mho_errinfo *ei) {
  mho_err err = check_inputs(law, r, ei);
  if (err)
    return err;

  newton s = {.g = g, .law = law, .n = (size_t)o->rows * (size_t)o->cols};
  double *memory = NULL, left = 0;
  int iterations = 0;
  mho_wire_options tight = *o;
  tight.tolerance = o->tolerance > 0 ? o->tolerance : 1e-11;
  err = mho_wire_new(&tight, &s.w, ei);
  if (!err) {
    memory = mho_alloc(12 * s.n, sizeof *memory);
    if (!memory)
      err = mho_fail(ei, MHO_ENOMEM, "no memory for %zu nonlinear cells", s.n);
  }

  if (!err) {
    lay_out(&s, memory);
    err = iterate(&s, r, &iterations, &left, ei);
  }

  if (!err) {
    end_currents(&s, r);
    if (r->node_word)
      memcpy(r->node_word, s.old.word, s.n * sizeof *memory);
    if (r->node_bit)
      memcpy(r->node_bit, s.old.bit, s.n * sizeof *memory);
    if (stats)
      *stats = (mho_wire_stats){.method = o->method,
                                .iterations = iterations,
                                .residual = left,
                                .error = left,
                                .power_in = NAN,
                                .power_lost = NAN};
  }

  mho_wire_free(s.w);
  mho_free(memory);
  return err;
}

void mho_wire_select(int rows, int cols, int row, int col, double v, mho_wire_scheme scheme,
                     double *v_word, double *v_bit) {
  bool half = scheme == MHO_WIRE_HALF;
  double word = half ? v / 2 : v / 3;
  double bit = half ? v / 2 : 2 * v / 3;
  for (int i = 0; i < rows; i++)
    v_word[i] = i == row ? v : word;
  for (int j = 0; j < cols; j++)
    v_bit[j] = j == col ? 0 : bit;
}
