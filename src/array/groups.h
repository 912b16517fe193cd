/* groups.h - the banks that each bank of a mapping is where cells are several devices: a group of
 * banks, one for every device.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_GROUPS_H
#define MHO_ARRAY_GROUPS_H

#include "device/series.h"
#include "mho/model/array.h"

/* Of one bank of the mapping. What is no device, but a circuit's current, is a group of one. */
typedef struct mho_group {
  int first, n;       /* its banks in the crossbar */
  double *share;      /* [n] s_k/sum s: what a device counts for in g = sum_k share_k g_k */
  const int *largest; /* [n] the devices, those of most significance first */
  /* [cells] the device whose turn it is; NULL but with device.cells.write in_turn, and of what is
   * written once */
  uint8_t *turn;
} mho_group;

struct mho_groups {
  int n, write; /* write: MHO_CELL_... */
  mho_group group[MHO_BANKS_MAX];
  double share[MHO_CELL_DEVICES_MAX], alone;
  int largest[MHO_CELL_DEVICES_MAX];
};

/* The table of a crossbar's banks, which names every device. */
typedef struct mho_bank_table {
  int n;
  mho_bank bank[MHO_BANKS_MAX];
  char name[MHO_BANKS_MAX][40], title[MHO_BANKS_MAX][40];
} mho_bank_table;

/** The banks of a crossbar of this mapping and device. The table must not be moved: it points into
 *  itself. */
void mho__bank_table(const mho_mapping *m, const mho_device_config *config, mho_bank_table *out);
/** The first letter that netlists may use and none of n banks has. */
char mho__bank_letter(int n, const mho_bank *bank);

/** Whether bank k of a mapping has cells that weights are written to. */
static inline bool mho__mapping_writes(const mho_mapping *m, int k) {
  return m->bank[k].kind == MHO_BANK_DEVICES;
}

/** The groups of x, whose mapping is known, as the device's config wants them; x->groups stays NULL
 *  where a cell is one device. MHO_ENOMEM; MHO_ECONFIG for more banks than a crossbar has. */
mho_err mho__groups_new(mho_crossbar *x, const mho_device_config *config, mho_errinfo *ei);
void mho__groups_free(mho_groups *g);
/** Whatever a checkpoint says, a turn is one of a device. */
void mho__groups_restored(mho_crossbar *x);

/** Write what bank k of the mapping is to hold, g, [n] (at most MHO_DEVICE_BLOCK), by verified
 *  writes; relative: by a change of what it holds, where it differs from g at all.
 *  @return how many are beyond the bounds of their devices. */
int mho__group_write(mho_crossbar *x, int k, size_t first, int n, const float *g, bool relative,
                     uint64_t step);
/** Whether g is beyond what the devices of a cell can hold together, by more than rounding. */
bool mho__group_is_outside(const mho_crossbar *x, int k, size_t cell, double g);
/** Pulses on scattered cells, see mho_crossbar_pulse_bank. */
void mho__group_pulse_at(mho_crossbar *x, int k, int n, const uint32_t *cell, const int16_t *count,
                         uint64_t step, mho_pulse_counts *counts);
/** The same of cells of a column, each one row below the one before it. */
void mho__group_pulse_column(mho_crossbar *x, int k, int n, const uint32_t *cell,
                             const int16_t *count, uint64_t step, mho_pulse_counts *counts);
void mho__group_pulse_series(mho_crossbar *x, int k, const mho_pulse_series *s, uint64_t step,
                             mho_pulse_counts *counts);
/** Give the devices of a cell that verified pulses have brought to what they have the error of a
 *  verified write: all of them, the one that was pulsed last, or the one that takes the pulses. */
void mho__group_accept(mho_crossbar *x, int k, size_t cell, uint64_t step);
/** What one pulse moves of a bank's g, over what it moves of a device. */
double mho__groups_step(const mho_crossbar *x);

#endif
