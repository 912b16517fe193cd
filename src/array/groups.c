/* groups.c - cells of several devices: each bank of a mapping is a group of banks, one for every
 * device of a cell, which are read together.
 *
 *   g = sum_k s_k g_k / sum_k s_k,  var g = sum_k s_k^2 var_k / (sum_k s_k)^2
 *
 * Every device is of a bank of its own, with the gain of the mapping's bank times s_k/sum s, so
 * that reads, wires, drift, noise, faults, netlists and files know it from the table of banks.
 * Here is what programming makes of a group.
 *
 * Pulses (device.cells.write)
 *   all       each device gets all of them
 *   in_turn   the next device gets the next pulse; every cell has a counter of its own
 *   carry     the first device, of the least significance, gets them; carry.c does the rest
 *
 * A verified write goes to one device after the other, the most significant one first. Each
 * aims at its part of what is still missing, so that it takes with it what levels, bounds, faults
 * and write errors have left of those before it. Their parts are the same conductance for all; or,
 * of cells that carry and of devices with levels, what is missing with the devices after it at mid
 * range, so that n devices of L levels and significances 1, L, L^2, ... hold L^n values.
 * A change moves all devices alike; those in turn take it one after the other until it is done;
 * of cells that carry the first device takes it, or the cell is written anew where it cannot.
 *
 * Source: I. Boybat et al., Nature Communications 9, 2514 (2018), where one counter serves all
 * cells of an array.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/groups.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "array/weights.h"

/* ---------------------------------------------------------------- the table of banks */

/* Banks that bank k of a mapping is. */
static int devices_of(const mho_mapping *m, int k, const mho_device_config *config) {
  return m->bank[k].kind == MHO_BANK_CURRENTS ? 1 : mho_cell_devices(config);
}

int mho_mapping_banks(const mho_mapping *m, const mho_device_config *config) {
  int n = 0;
  for (int k = 0; k < m->n_banks; k++)
    n += devices_of(m, k, config);
  return n;
}

/* s_k of a device. */
static double significance_of(const mho_device_config *config, int device) {
  const mho_reals *s = &config->cells.significance;
  return s->n > 1 ? s->v[device] : 1;
}

static double share_of(const mho_device_config *config, int device) {
  double sum = 0;
  for (int k = 0; k < mho_cell_devices(config); k++)
    sum += significance_of(config, k);
  return significance_of(config, device) / sum;
}

char mho__bank_letter(int n, const mho_bank *bank) {
  static const char letters[] = "cdghjklmoqrstypn";
  for (const char *letter = letters; *letter; letter++) {
    bool used = false;
    for (int k = 0; k < n; k++)
      used = used || bank[k].letter == *letter;
    if (!used)
      return *letter;
  }
  return letters[0];
}

/* Device number d of n of a mapping's bank. */
static void name_device(const mho_bank *from, const mho_device_config *config, int d, int n,
                        mho_bank_table *t) {
  static const char *const ordinal[MHO_CELL_DEVICES_MAX] = {"first", "second", "third",   "fourth",
                                                            "fifth", "sixth",  "seventh", "eighth"};
  mho_bank *to = &t->bank[t->n];
  *to = *from;
  if (n > 1) {
    snprintf(t->name[t->n], sizeof *t->name, "%.32s_%c", from->name, '1' + d);
    snprintf(t->title[t->n], sizeof *t->title, "%s %.30s", ordinal[d], from->title);
    to->name = t->name[t->n];
    to->title = t->title[t->n];
    to->gain *= share_of(config, d);
  }
  t->n++;
}

void mho__bank_table(const mho_mapping *m, const mho_device_config *config, mho_bank_table *out) {
  bool again[MHO_BANKS_MAX] = {false};
  out->n = 0;
  for (int k = 0; k < m->n_banks; k++) {
    int n = devices_of(m, k, config);
    for (int d = 0; d < n; d++) {
      if (out->n == MHO_BANKS_MAX)
        break;
      again[out->n] = d > 0;
      name_device(&m->bank[k], config, d, n, out);
    }
  }

  /* the first device of a cell keeps the letter of the bank, the others take what is left */
  for (int k = 0; k < out->n; k++)
    if (again[k])
      out->bank[k].letter = 0;
  for (int k = 0; k < out->n; k++)
    if (again[k])
      out->bank[k].letter = mho__bank_letter(out->n, out->bank);
}

/* ---------------------------------------------------------------- construction */

/* The devices by significance, the largest first. */
static void sort_devices(mho_groups *all, int n) {
  for (int d = 0; d < n; d++) {
    int at = d;
    while (at > 0 && all->share[all->largest[at - 1]] < all->share[d]) {
      all->largest[at] = all->largest[at - 1];
      at--;
    }
    all->largest[at] = d;
  }
}

static bool fill(mho_groups *all, const mho_crossbar *x, const mho_device_config *config) {
  int first = 0, n = mho_cell_devices(config);
  bool ok = true;
  *all = (mho_groups){.n = x->mapping->n_banks, .write = config->cells.write, .alone = 1};
  for (int d = 0; d < n; d++)
    all->share[d] = share_of(config, d);
  sort_devices(all, n);

  for (int k = 0; k < all->n; k++) {
    mho_group *g = &all->group[k];
    *g = (mho_group){first, devices_of(x->mapping, k, config), all->share, all->largest};
    if (g->n == 1)
      g->share = &all->alone;
    first += g->n;
    if (all->write == MHO_CELL_IN_TURN && mho__mapping_writes(x->mapping, k)) {
      g->turn = mho_alloc(mho_crossbar_cells(x), sizeof *g->turn);
      ok = ok && g->turn;
    }
  }
  return ok;
}

/* The table stays with the groups. */
typedef struct grouped {
  mho_groups groups;
  mho_bank_table table;
} grouped;

mho_err mho__groups_new(mho_crossbar *x, const mho_device_config *config, mho_errinfo *ei) {
  int banks = mho_mapping_banks(x->mapping, config);
  if (mho_cell_devices(config) == 1)
    return MHO_OK;
  if (banks > MHO_BANKS_MAX)
    return mho_fail(ei, MHO_ECONFIG,
                    "device.cells.n: %d devices a cell make %d banks of mapping '%s', and a "
                    "crossbar has at most %d: lower it",
                    mho_cell_devices(config), banks, x->mapping->entry.id, MHO_BANKS_MAX);

  grouped *own = mho_alloc(1, sizeof *own);
  x->groups = own ? &own->groups : NULL;
  if (!own || !fill(&own->groups, x, config))
    return mho_fail(ei, MHO_ENOMEM, "no memory for the turns of %d x %d cells", x->rows, x->cols);

  mho__bank_table(x->mapping, config, &own->table);
  x->role = own->table.bank;
  x->n_banks = own->table.n;
  return MHO_OK;
}

void mho__groups_free(mho_groups *g) {
  if (!g)
    return;

  for (int k = 0; k < g->n; k++)
    mho_free(g->group[k].turn);
  mho_free(g); /* the first member of what was allocated */
}

void mho__groups_restored(mho_crossbar *x) {
  for (int k = 0; x->groups && k < x->groups->n; k++) {
    mho_group *g = &x->groups->group[k];
    for (size_t i = 0; g->turn && i < mho_crossbar_cells(x); i++)
      g->turn[i] = (uint8_t)(g->turn[i] % g->n);
  }
}

/* ---------------------------------------------------------------- what a group holds */

int mho_crossbar_devices(const mho_crossbar *x, int k, int *first) {
  *first = x->groups ? x->groups->group[k].first : k;
  return x->groups ? x->groups->group[k].n : 1;
}

void mho_crossbar_held(const mho_crossbar *x, int k, size_t first, int n, float *out) {
  if (!x->groups) {
    memcpy(out, x->bank[k]->g + first, (size_t)n * sizeof *out);
    return;
  }

  const mho_group *of = &x->groups->group[k];
  memset(out, 0, (size_t)n * sizeof *out);
  for (int d = 0; d < of->n; d++) {
    const float *g = x->bank[of->first + d]->g + first;
    float share = (float)of->share[d];
    for (int i = 0; i < n; i++)
      out[i] += share * g[i];
  }
}

/* What the devices of a cell hold at their low or high bounds, together. */
static double bound_of(const mho_crossbar *x, const mho_group *of, size_t cell, bool high) {
  double sum = 0;
  for (int d = 0; d < of->n; d++) {
    const mho_cells *c = x->bank[of->first + d];
    size_t at = c->varied ? cell : 0;
    sum += of->share[d] * (double)(high ? c->high[at] : c->low[at]);
  }
  return sum;
}

bool mho__group_is_outside(const mho_crossbar *x, int k, size_t cell, double g) {
  const double dust = 1e-5;
  const mho_group *of = &x->groups->group[k];
  return g < bound_of(x, of, cell, false) - dust || g > bound_of(x, of, cell, true) + dust;
}

/* ---------------------------------------------------------------- verified writes */

/* A block of cells of a group that is written. */
typedef struct block {
  mho_crossbar *x;
  int k;
  const mho_group *of;
  size_t first;
  int n;
  uint64_t step;
} block;

static mho_cells *device_of(const block *b, int d) {
  return b->x->bank[b->of->first + d];
}

/* Whether devices that are still to be written are expected at mid range, where they have room
 * both ways, rather than at the conductance of all. */
static bool leaves_room(const block *b) {
  return b->x->groups->write == MHO_CELL_CARRY || device_of(b, 0)->config.levels >= 2;
}

/* Write the chosen cells (NULL: all) anew: to what is missing, [n], device by device. */
static void write_anew(const block *b, float *missing, const bool *chosen) {
  bool room = leaves_room(b);
  double below = 1;

  for (int order = 0; order < b->of->n; order++) {
    int d = b->of->largest[order];
    mho_cells *c = device_of(b, d);
    float share = (float)b->of->share[d], target[MHO_DEVICE_BLOCK];
    below = order == b->of->n - 1 ? 0 : below - b->of->share[d];
    float later = (float)(room ? 0.5 * below : 0), divisor = room ? share : share + (float)below;

    for (int i = 0; i < b->n; i++)
      target[i] =
          !chosen || chosen[i] ? (missing[i] - later) / divisor : c->g[b->first + (size_t)i];
    mho_cells_write(c, b->first, b->n, target, !chosen, b->step);
    for (int i = 0; i < b->n; i++)
      missing[i] -= share * c->g[b->first + (size_t)i];
  }
}

/* Every device moves by d, [n]. */
static void move_all(const block *b, const float *d) {
  for (int k = 0; k < b->of->n; k++) {
    mho_cells *c = device_of(b, k);
    float target[MHO_DEVICE_BLOCK];
    for (int i = 0; i < b->n; i++)
      target[i] = c->g[b->first + (size_t)i] + d[i];
    mho_cells_write(c, b->first, b->n, target, false, b->step);
  }
}

/* The device whose turn is `later` after that of a cell. */
static int turn_of(const block *b, int i, int later) {
  return (b->of->turn[b->first + (size_t)i] + later) % b->of->n;
}

/* Device k takes what is missing of the cells whose turn it is, and leaves what it cannot hold. */
static void move_device(const block *b, int k, int later, float *missing) {
  mho_cells *c = device_of(b, k);
  float target[MHO_DEVICE_BLOCK], before[MHO_DEVICE_BLOCK], share = (float)b->of->share[k];
  memcpy(before, c->g + b->first, (size_t)b->n * sizeof *before);
  for (int i = 0; i < b->n; i++)
    target[i] = before[i] + (turn_of(b, i, later) == k ? missing[i] / share : 0);
  mho_cells_write(c, b->first, b->n, target, false, b->step);

  for (int i = 0; i < b->n; i++) {
    size_t cell = b->first + (size_t)i;
    if (turn_of(b, i, later) != k)
      continue;
    bool held = mho__cell_is_outside(c, cell, (double)target[i]) || (c->fault && c->fault[cell]);
    missing[i] = held ? missing[i] - share * (c->g[cell] - before[i]) : 0;
  }
}

/* Devices move in turn until changes d are done, [n]; the counters go on by one. */
static void move_in_turn(const block *b, const float *d) {
  float missing[MHO_DEVICE_BLOCK];
  memcpy(missing, d, (size_t)b->n * sizeof *missing);
  for (int later = 0; later < b->of->n; later++)
    for (int k = 0; k < b->of->n; k++)
      move_device(b, k, later, missing);
  for (int i = 0; i < b->n; i++)
    if (d[i] != 0)
      b->of->turn[b->first + (size_t)i] = (uint8_t)turn_of(b, i, 1);
}

/* The first device takes changes d; where it cannot the cell is written to g, [n]. */
static void move_first(const block *b, const float *g, const float *d) {
  mho_cells *c = device_of(b, 0);
  float target[MHO_DEVICE_BLOCK], missing[MHO_DEVICE_BLOCK], share = (float)b->of->share[0];
  bool anew[MHO_DEVICE_BLOCK], any = false;

  for (int i = 0; i < b->n; i++) {
    size_t cell = b->first + (size_t)i;
    float now = c->g[cell], wanted = now + d[i] / share;
    anew[i] = d[i] != 0 &&
              (mho__cell_is_outside(c, cell, (double)wanted) || (c->fault && c->fault[cell]));
    target[i] = anew[i] ? now : wanted;
    missing[i] = g[i];
    any = any || anew[i];
  }
  mho_cells_write(c, b->first, b->n, target, false, b->step);
  if (any)
    write_anew(b, missing, anew);
}

int mho__group_write(mho_crossbar *x, int k, size_t first, int n, const float *g, bool relative,
                     uint64_t step) {
  block b = {x, k, &x->groups->group[k], first, n, step};
  float now[MHO_DEVICE_BLOCK], d[MHO_DEVICE_BLOCK];
  int beyond = 0;
  mho_crossbar_held(x, k, first, n, now);
  for (int i = 0; i < n; i++) {
    d[i] = g[i] - now[i];
    beyond += mho__group_is_outside(x, k, first + (size_t)i, (double)g[i]);
  }

  if (!relative) {
    memcpy(d, g, (size_t)n * sizeof *d);
    write_anew(&b, d, NULL);
  } else if (x->groups->write == MHO_CELL_ALL) {
    move_all(&b, d);
  } else if (x->groups->write == MHO_CELL_IN_TURN) {
    move_in_turn(&b, d);
  } else {
    move_first(&b, g, d);
  }
  return beyond;
}

/* ---------------------------------------------------------------- pulses */

double mho__groups_step(const mho_crossbar *x) {
  if (!x->groups || x->groups->write == MHO_CELL_ALL)
    return 1;
  const mho_group *of = &x->groups->group[0];
  return x->groups->write == MHO_CELL_CARRY ? of->share[0] : 1.0 / of->n;
}

int mho_crossbar_at_once(const mho_crossbar *x) {
  return x->groups && x->groups->write == MHO_CELL_ALL ? x->groups->group[0].n : 1;
}

/* What the mean step of device d counts for in that of its cell. */
static double weight_of_step(const mho_groups *all, const mho_group *of, int d) {
  if (all->write == MHO_CELL_CARRY)
    return d ? 0 : of->share[0];
  return all->write == MHO_CELL_IN_TURN ? of->share[d] / of->n : of->share[d];
}

void mho_crossbar_mean_step(const mho_crossbar *x, int k, size_t first, int n, const float *dir,
                            float *out) {
  if (!x->groups) {
    mho_cells_mean_step(x->bank[k], first, n, dir, out);
    return;
  }

  const mho_group *of = &x->groups->group[k];
  memset(out, 0, (size_t)n * sizeof *out);
  for (int d = 0; d < of->n; d++) {
    float mean[MHO_DEVICE_BLOCK], weight = (float)weight_of_step(x->groups, of, d);
    if (weight == 0)
      continue;
    mho_cells_mean_step(x->bank[of->first + d], first, n, dir, mean);
    for (int i = 0; i < n; i++)
      out[i] += weight * mean[i];
  }
}

/* Of count pulses, from the turn of device `turn` of n on, those that device d gets. */
static int16_t in_turn(int16_t count, int turn, int d, int n) {
  int size = count < 0 ? -count : count, wait = (d - turn + n) % n;
  int own = size > wait ? (size - wait + n - 1) / n : 0;
  return (int16_t)(count < 0 ? -own : own);
}

/* The pulses of device d among those of n cells; the cell of number i is cell[i], or first + i. */
static const int16_t *pulses_of(const mho_crossbar *x, const mho_group *of, int d, int n,
                                size_t first, const uint32_t *cell, const int16_t *count,
                                int16_t *own) {
  if (!of->turn)
    return x->groups->write == MHO_CELL_ALL || d == 0 ? count : NULL;
  for (int i = 0; i < n; i++)
    own[i] = in_turn(count[i], of->turn[cell ? cell[i] : first + (size_t)i], d, of->n);
  return own;
}

/* The counters of n cells go on by their pulses. */
static void go_on(const mho_group *of, int n, size_t first, const uint32_t *cell,
                  const int16_t *count) {
  for (int i = 0; of->turn && i < n; i++) {
    uint8_t *turn = &of->turn[cell ? cell[i] : first + (size_t)i];
    int size = count[i] < 0 ? -count[i] : count[i];
    *turn = (uint8_t)((*turn + size) % of->n);
  }
}

void mho_crossbar_pulse_bank(mho_crossbar *x, int k, size_t first, int n, const int16_t *count,
                             uint64_t step, mho_pulse_counts *counts) {
  if (!x->groups) {
    mho_cells_pulse(x->bank[k], first, n, count, step, counts);
    return;
  }

  const mho_group *of = &x->groups->group[k];
  int16_t room[MHO_DEVICE_BLOCK];
  for (int d = 0; d < of->n; d++) {
    const int16_t *own = pulses_of(x, of, d, n, first, NULL, count, room);
    if (own)
      mho_cells_pulse(x->bank[of->first + d], first, n, own, step, counts);
  }
  go_on(of, n, first, NULL, count);
}

void mho__group_pulse_at(mho_crossbar *x, int k, int n, const uint32_t *cell, const int16_t *count,
                         uint64_t step, mho_pulse_counts *counts) {
  if (!x->groups) {
    mho_cells_pulse_at(x->bank[k], n, cell, count, step, counts);
    return;
  }

  const mho_group *of = &x->groups->group[k];
  int16_t room[MHO_DEVICE_BLOCK];
  for (int d = 0; d < of->n; d++) {
    const int16_t *own = pulses_of(x, of, d, n, 0, cell, count, room);
    if (own)
      mho_cells_pulse_at(x->bank[of->first + d], n, cell, own, step, counts);
  }
  go_on(of, n, 0, cell, count);
}

void mho__group_pulse_column(mho_crossbar *x, int k, int n, const uint32_t *cell,
                             const int16_t *count, uint64_t step, mho_pulse_counts *counts) {
  if (x->groups)
    mho__group_pulse_at(x, k, n, cell, count, step, counts);
  else
    mho__cells_pulse_column(x->bank[k], x->cols, n, cell, count, step, counts);
}

/* Of pulses in turn those of device d. */
static void series_in_turn(const mho_group *of, int d, const mho_pulse_series *s,
                           mho_pulse_series *own) {
  own->n = s->n;
  for (int i = 0; i < s->n; i++) {
    own->cell[i] = s->cell[i];
    own->count[i] = 0;
    own->up[i] = 0;
    for (int k = (d - of->turn[s->cell[i]] + of->n) % of->n; k < s->count[i]; k += of->n)
      own->up[i] |= (s->up[i] >> k & 1) << own->count[i]++;
  }
}

void mho__group_pulse_series(mho_crossbar *x, int k, const mho_pulse_series *s, uint64_t step,
                             mho_pulse_counts *counts) {
  if (!x->groups) {
    mho__cells_pulse_series(x->bank[k], s, step, counts);
    return;
  }

  const mho_group *of = &x->groups->group[k];
  int devices = x->groups->write == MHO_CELL_CARRY ? 1 : of->n;
  for (int d = 0; d < devices; d++) {
    mho_pulse_series own;
    if (of->turn)
      series_in_turn(of, d, s, &own);
    mho__cells_pulse_series(x->bank[of->first + d], of->turn ? &own : s, step, counts);
  }
  for (int i = 0; of->turn && i < s->n; i++) {
    uint8_t *turn = &of->turn[s->cell[i]];
    *turn = (uint8_t)((*turn + s->count[i]) % of->n);
  }
}

void mho__group_accept(mho_crossbar *x, int k, size_t cell, uint64_t step) {
  if (!x->groups) {
    mho__cell_accept(x->bank[k], cell, step);
    return;
  }

  const mho_group *of = &x->groups->group[k];
  bool all = x->groups->write == MHO_CELL_ALL;
  int last = of->turn ? (of->turn[cell] + of->n - 1) % of->n : 0;
  for (int d = 0; d < of->n; d++)
    if (all || d == last)
      mho__cell_accept(x->bank[of->first + d], cell, step);
}
