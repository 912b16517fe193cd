/* carry.c - cells of several devices whose first one takes the pulses: when it nears a bound, its
 * value moves up to the next more significant device, as a full digit does.
 *
 *   g_{k+1} <- g_{k+1} + (g_k - mid) s_k/s_{k+1},
 *   g_k     <- what keeps s_k g_k + s_{k+1} g_{k+1}
 *
 * Near is an eighth of the device's own range. Both devices are read, and written by verified
 * writes: pulses one at a time with a read after each, until the next would lead further away;
 * what is reached has the error of a verified write. The lower device is written last, so that it
 * takes up what the upper one is off by. The upper ones are looked at first, so that there is room
 * where a value moves to; at their own bounds nothing moves, and the lower ones fill up.
 *
 * Source: S. Ambrogio et al., Nature 558, 60 (2018), where values of less significance are
 * transferred to pairs of more.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "array/groups.h"
#include "array/weights.h"
#include "base/streams.h"

/* Two devices of the cells of a block, the upper one of more significance, of which some carry. */
typedef struct pair {
  mho_cells *lower, *upper;
  float ratio; /* of their significances, above 1 */
  size_t first;
  int n;
  bool chosen[MHO_DEVICE_BLOCK];
  float sum[MHO_DEVICE_BLOCK];    /* g of the lower + ratio g of the upper one */
  float target[MHO_DEVICE_BLOCK]; /* of the device that is written */
} pair;

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

/* The cells that carry, and what their upper devices are to have: where a pulse of theirs leads
 * closer to it. @return how many. */
static int choose(pair *p, mho_pulse_counts *counts) {
  float dir[MHO_DEVICE_BLOCK], mean[MHO_DEVICE_BLOCK];
  int some = 0;
  for (int i = 0; i < p->n; i++) {
    size_t cell = p->first + (size_t)i;
    float away = excess(p->lower, cell);
    bool is_stuck = is_faulty(p->lower, cell) || is_faulty(p->upper, cell);
    p->chosen[i] = away != 0 && !is_stuck;
    p->sum[i] = p->lower->g[cell] + p->ratio * p->upper->g[cell];
    p->target[i] = inside(p->upper, cell, p->upper->g[cell] + away / p->ratio);
    dir[i] = away < 0 ? -1 : 1;
    some += p->chosen[i];
  }
  counts->reads += 2 * some;
  if (!some)
    return 0;

  some = 0;
  mho_cells_mean_step(p->upper, p->first, p->n, dir, mean);
  for (int i = 0; i < p->n; i++) {
    float lack = p->target[i] - p->upper->g[p->first + (size_t)i];
    p->chosen[i] = p->chosen[i] && mean[i] * dir[i] > 0 && lack * dir[i] > 0.5f * mean[i] * dir[i];
    some += p->chosen[i];
  }
  return some;
}

/* Pulses on the chosen cells of a device, one at a time, with a read after each, until the next
 * would lead away from their targets. */
static void lead(mho_cells *c, const pair *p, uint64_t step, mho_pulse_counts *counts) {
  enum { TRIES = 200 };
  for (int turn = 0; turn < TRIES; turn++) {
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
      one[i] = p->chosen[i] && is_closer ? (int16_t)dir[i] : 0;
      some += one[i] != 0;
    }
    if (!some)
      return;
    mho_cells_pulse(c, p->first, p->n, one, step + (uint64_t)turn, counts);
  }
}

static void accept(mho_cells *c, const pair *p, uint64_t step) {
  for (int i = 0; i < p->n; i++)
    if (p->chosen[i])
      mho__cell_accept(c, p->first + (size_t)i, step);
}

/* Move the values of the lower devices up. @return how many cells did. */
static int carry(pair *p, uint64_t step, mho_pulse_counts *counts) {
  uint64_t back = mho__step_refresh_set(step);
  int some = choose(p, counts);
  if (!some)
    return 0;

  lead(p->upper, p, step, counts);
  accept(p->upper, p, step);
  for (int i = 0; i < p->n; i++) {
    size_t cell = p->first + (size_t)i;
    p->target[i] = inside(p->lower, cell, p->sum[i] - p->ratio * p->upper->g[cell]);
  }
  lead(p->lower, p, back, counts);
  accept(p->lower, p, back);
  return some;
}

/* The cells of a block in one bank of the mapping. @return how many carried. */
static int carry_group(mho_crossbar *x, const mho_group *of, size_t first, int n, uint64_t step,
                       mho_pulse_counts *counts) {
  int some = 0;
  for (int d = of->n - 2; d >= 0; d--) {
    pair p = {.lower = x->bank[of->first + d],
              .upper = x->bank[of->first + d + 1],
              .ratio = (float)(of->share[d + 1] / of->share[d]),
              .first = first,
              .n = n};
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
