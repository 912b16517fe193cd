/* borrowed.c - banks of another crossbar that are read beside a crossbar's own.
 *
 *   W = w_max sum_k gain_k g_k + gamma c_i d_j w_max' sum_k gain'_k g'_k
 *
 * A chopper that is turned, c_i d_j = -1, has the two sides of a weight change places, device by
 * device.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "array/groups.h"
#include "array/weights.h"

enum { NAME = 32 };

struct mho_borrowed {
  const mho_crossbar *of;
  int first;               /* number of the first of its banks in the table */
  const int8_t *row, *col; /* signs; NULL: 1 */
  mho_bank role[MHO_BANKS_MAX];
  char name[MHO_BANKS_MAX][NAME], title[MHO_BANKS_MAX][NAME];
};

/* The table of banks, own ones first. */
static void fill_table(mho_crossbar *x, mho_borrowed *b, double gamma) {
  memcpy(b->role, x->role, (size_t)x->n_banks * sizeof *b->role);

  for (int k = 0; k < b->of->n_banks; k++) {
    const mho_bank *from = &b->of->role[k];
    mho_bank *to = &b->role[b->first + k];
    snprintf(b->name[k], NAME, "fast_%.24s", from->name);
    snprintf(b->title[k], NAME, "fast %.24s", from->title);
    *to = (mho_bank){.name = b->name[k],
                     .title = b->title[k],
                     .letter = mho__bank_letter(b->first + k, b->role),
                     .gain = gamma * b->of->w_max / x->w_max * from->gain,
                     .kind = MHO_BANK_BORROWED};
    x->bank[b->first + k] = b->of->bank[k];
  }
  x->role = b->role;
  x->n_banks = b->first + b->of->n_banks;
}

/* Whether a weight has as many devices on one side as on the other. */
static bool has_two_sides(const mho_crossbar *x) {
  int first, devices = mho_crossbar_devices(x, 0, &first);
  return x->mapping->n_banks == 2 && x->n_banks == 2 * devices;
}

mho_err mho_crossbar_borrow(mho_crossbar *x, const mho_crossbar *other, double gamma,
                            const int8_t *row, const int8_t *col, mho_errinfo *ei) {
  size_t n = mho_crossbar_cells(x);
  int banks = x->n_banks + other->n_banks;
  if (banks > MHO_BANKS_MAX || ((row || col) && !has_two_sides(other)))
    return mho_fail(ei, MHO_ECONFIG,
                    "%d banks of a crossbar: expected at most %d, and of choppers two sides", banks,
                    MHO_BANKS_MAX);

  mho_borrowed *b = mho_alloc(1, sizeof *b);
  bool ok = b != NULL;
  for (int k = x->n_banks; k < banks; k++) {
    x->drifted[k] = mho_alloc(n, sizeof(float));
    ok = ok && x->drifted[k];
  }
  if (!ok) {
    mho_free(b);
    return mho_fail(ei, MHO_ENOMEM, "no memory to read %d x %d cells beside others", x->rows,
                    x->cols);
  }

  b->of = other;
  b->first = x->n_banks;
  b->row = row;
  b->col = col;
  x->borrowed = b;
  fill_table(x, b, gamma);
  mho_crossbar_refresh(x, 0, n);
  return MHO_OK;
}

/* Conductances of a block of bank k of the other crossbar, as time has left them. */
static void take(const mho_crossbar *x, int k, size_t first, int n, float *out) {
  const mho_cells *c = x->borrowed->of->bank[k];
  if (x->after > 0)
    mho_cells_drifted(c, x->after, first, n, out);
  else
    memcpy(out, c->g + first, (size_t)n * sizeof *out);
}

static int sign_at(const mho_borrowed *b, size_t cell, size_t cols) {
  int row = b->row ? b->row[cell / cols] : 1, col = b->col ? b->col[cell % cols] : 1;
  return row * col;
}

/* Devices of a block in two banks change places where their choppers are turned. */
static void turn_block(mho_crossbar *x, int one, int other, size_t first, int n) {
  float *p = x->drifted[one] + first, *q = x->drifted[other] + first;
  size_t cols = (size_t)x->cols;
  for (int i = 0; i < n; i++) {
    bool turned = sign_at(x->borrowed, first + (size_t)i, cols) < 0;
    float a = turned ? q[i] : p[i], b = turned ? p[i] : q[i];
    p[i] = a;
    q[i] = b;
  }
}

void mho__borrowed_refresh(mho_crossbar *x, size_t first, size_t n) {
  const mho_borrowed *b = x->borrowed;
  bool turns = b->row || b->col;

  for (size_t i0 = first; i0 < first + n; i0 += MHO_DEVICE_BLOCK) {
    int m = mho__block_cells(first + n, i0);
    for (int k = 0; k < b->of->n_banks; k++)
      take(x, k, i0, m, x->drifted[b->first + k] + i0);
    for (int k = 0; turns && k < b->of->n_banks / 2; k++)
      turn_block(x, b->first + k, b->first + b->of->n_banks / 2 + k, i0, m);
  }
}
