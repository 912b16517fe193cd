/* carry.c - cells of several devices whose first one takes the pulses: when it nears a bound, its
 * value moves up to the next more significant device, as a full digit does.
 *
 *   g_{k+1} <- g_{k+1} + (g_k - mid) s_k/s_{k+1},
 *   g_k, g_{k-1}, .. g_1 <- what keeps sum_j s_j g_j
 *
 * Near is an eighth of the device's own range. Devices are written by verified writes: pulses one
 * at a time with a read after each, until the next would lead further away; what is reached has the
 * error of a verified write. The lower ones are written after the upper one, down to the first, so
 * that each takes up what those before it are off by, and half a pulse of the first is left. The
 * upper ones are looked at first, so that there is room where a value moves to; at their own bounds
 * nothing moves, and the lower ones fill up.
 *
 * Source: S. Ambrogio et al., Nature 558, 60 (2018), where values of less significance are
 * transferred to pairs of more.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "array/groups.h"
#include "array/weights.h"
#include "base/streams.h"

/* A device of the cells of a block, and the one above it, to which some of them carry. */
typedef struct carrying {
  const mho_crossbar *x;
  const mho_group *of;
  int lower; /* the device */
  size_t first;
  int n;
  bool chosen[MHO_DEVICE_BLOCK];
  float sum[MHO_DEVICE_BLOCK];    /* of share g, over the one above and all below */
  float target[MHO_DEVICE_BLOCK]; /* of the device that is written */
} carrying;

enum { TRIES = 200 };
_Static_assert(TRIES *MHO_CELL_DEVICES_MAX <= MHO_STREAM_TURNS,
               "each device has pulses of its own");

static mho_cells *device_of(const carrying *p, int d) {
  return p->x->bank[p->of->first + d];
}

static size_t bounds_of(const mho_cells *c, size_t cell) {
  return c->varied ? cell : 0;
}

static float inside(const mho_cells *c, size_t cell, float g) {
  size_t k = bounds_of(c, cell);
  return fminf(fmaxf(g, c->low[k]), c->high[k]);
}

static bool is_faulty(const mho_cells *c, size_t cell) {
  return c->fault && c->fault[cell];
}

/* How far the value of a device is from mid range where it is near a bound; else 0. */
static float excess(const mho_cells *c, size_t cell) {
  size_t k = bounds_of(c, cell);
  float mid = 0.5f * (c->low[k] + c->high[k]), away = c->g[cell] - mid;
  float near = 0.375f * (c->high[k] - c->low[k]);
  return fabsf(away) >= near ? away : 0;
}

/* What the devices of a cell hold together, up to the upper one. */
static float sum_of(const carrying *p, size_t cell) {
  float sum = 0;
  for (int d = 0; d <= p->lower + 1; d++)
    sum += (float)p->of->share[d] * device_of(p, d)->g[cell];
  return sum;
}

/* The cells that carry, and what their upper devices are to have: where a pulse of theirs leads
 * closer to it. @return how many. */
static int choose(carrying *p, mho_pulse_counts *counts) {
  mho_cells *lower = device_of(p, p->lower), *upper = device_of(p, p->lower + 1);
  float ratio = (float)(p->of->share[p->lower + 1] / p->of->share[p->lower]);
  float dir[MHO_DEVICE_BLOCK], mean[MHO_DEVICE_BLOCK];
  int near = 0, some = 0;
  for (int i = 0; i < p->n; i++) {
    size_t cell = p->first + (size_t)i;
    float away = excess(lower, cell);
    p->chosen[i] = away != 0 && !is_faulty(lower, cell) && !is_faulty(upper, cell);
    p->target[i] = inside(upper, cell, upper->g[cell] + away / ratio);
    dir[i] = away < 0 ? -1 : 1;
    near += p->chosen[i];
  }
  if (!near)
    return 0;

  counts->reads += (p->lower + 2) * near;
  mho_cells_mean_step(upper, p->first, p->n, dir, mean);
  for (int i = 0; i < p->n; i++) {
    size_t cell = p->first + (size_t)i;
    float step = mean[i] * dir[i], lack = (p->target[i] - upper->g[cell]) * dir[i];
    p->chosen[i] = p->chosen[i] && step > 0 && lack > 0.5f * step;
    p->sum[i] = p->chosen[i] ? sum_of(p, cell) : 0;
    some += p->chosen[i];
  }
  return some;
}

/* One pulse on each of the chosen cells of a device that it leads closer to its target. @return how
 * many have got one. */
static int pulse(const carrying *p, mho_cells *c, bool *moved, uint64_t step,
                 mho_pulse_counts *counts) {
  float lack[MHO_DEVICE_BLOCK], dir[MHO_DEVICE_BLOCK], mean[MHO_DEVICE_BLOCK];
  int16_t one[MHO_DEVICE_BLOCK];
  int some = 0;
  for (int i = 0; i < p->n; i++) {
    lack[i] = p->target[i] - c->g[p->first + (size_t)i];
    dir[i] = lack[i] < 0 ? -1 : 1;
    counts->reads += p->chosen[i];
  }

  mho_cells_mean_step(c, p->first, p->n, dir, mean);
  for (int i = 0; i < p->n; i++) {
    bool is_closer = mean[i] * dir[i] > 0 && fabsf(lack[i]) > 0.5f * fabsf(mean[i]);
    bool is_stuck = is_faulty(c, p->first + (size_t)i);
    one[i] = p->chosen[i] && is_closer && !is_stuck ? (int16_t)dir[i] : 0;
    moved[i] = moved[i] || one[i] != 0;
    some += one[i] != 0;
  }
  if (some)
    mho_cells_pulse(c, p->first, p->n, one, step, counts);
  return some;
}

/* A verified write of the chosen cells of device d. */
static void lead(const carrying *p, int d, uint64_t step, mho_pulse_counts *counts) {
  mho_cells *c = device_of(p, d);
  bool moved[MHO_DEVICE_BLOCK] = {false};
  for (int turn = 0; turn < TRIES; turn++)
    if (!pulse(p, c, moved, step + (uint64_t)turn, counts))
      break;

  for (int i = 0; i < p->n; i++)
    if (moved[i])
      mho__cell_accept(c, p->first + (size_t)i, step);
}

/* Move the values of the lower device up. @return how many cells did. */
static int carry(carrying *p, uint64_t step, mho_pulse_counts *counts) {
  int some = choose(p, counts);
  if (!some)
    return 0;

  lead(p, p->lower + 1, step, counts);
  uint64_t back = mho__step_refresh_set(step) + (uint64_t)(TRIES * p->lower);
  for (int d = p->lower; d >= 0; d--) {
    mho_cells *c = device_of(p, d);
    for (int i = 0; i < p->n; i++) {
      size_t cell = p->first + (size_t)i;
      float missing = p->chosen[i] ? p->sum[i] - sum_of(p, cell) : 0;
      p->target[i] = inside(c, cell, c->g[cell] + missing / (float)p->of->share[d]);
    }
    lead(p, d, back, counts);
  }
  return some;
}

/* The cells of a block in one bank of the mapping. @return how many carried. */
static int carry_group(mho_crossbar *x, const mho_group *of, size_t first, int n, uint64_t step,
                       mho_pulse_counts *counts) {
  int some = 0;
  for (int d = of->n - 2; d >= 0; d--) {
    carrying p = {.x = x, .of = of, .lower = d, .first = first, .n = n};
    some += carry(&p, step, counts);
  }
  return some;
}

bool mho_crossbar_carries(const mho_crossbar *x) {
  return x && x->groups && x->groups->write == MHO_CELL_CARRY;
}

void mho_crossbar_carry(mho_crossbar *x, size_t first, size_t n, uint64_t step,
                        mho_pulse_counts *counts) {
  for (size_t i0 = 0; i0 < n; i0 += MHO_DEVICE_BLOCK) {
    int m = mho__block_cells(n, i0), some = 0;
    for (int k = 0; k < x->groups->n; k++)
      if (mho__mapping_writes(x->mapping, k))
        some += carry_group(x, &x->groups->group[k], first + i0, m, step, counts);
    if (some)
      mho_crossbar_refresh(x, first + i0, (size_t)m);
  }
}
