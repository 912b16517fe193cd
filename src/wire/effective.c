/* effective.c - the effective matrix of one array.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "wire/tile.h"
#include "mho/wire.h"

typedef struct job {
  mho_tile *t;
  char *scratch;
  size_t each;
} job;

static void task(void *arg, int block, int thread) {
  job *j = arg;
  mho_tile_solve(j->t, block, j->scratch + (size_t)thread * j->each);
}

mho_err mho_wire_effective(const mho_wire_options *o, const double *g, double *g_eff,
                           mho_errinfo *ei) {
  mho_wire *check;
  mho_err err = mho_wire_new(o, &check, ei);
  if (!err)
    err = mho_wire_set(check, g, ei);
  mho_wire_free(check);
  if (err)
    return err;
  mho_tile t;
  job j = {.t = &t};
  size_t n = (size_t)o->rows * (size_t)o->cols * sizeof *g;
  bool ok = mho_tile_init(&t, o->rows, o->cols, o->r_word, o->r_bit,
                          o->tolerance > 0 ? o->tolerance : 1e-9);
  if (ok) {
    j.each = (mho_tile_scratch(&t) + 63) & ~(size_t)63;
    ok = (j.scratch = mho_alloc((size_t)mho_pool_threads(o->pool), j.each)) != NULL;
  }
  if (ok) {
    memcpy(t.g, g, n);
    mho_tile_prepare(&t, j.scratch);
    mho_pool_run(o->pool, mho_tile_blocks(&t), task, &j);
    memcpy(g_eff, t.out, n);
  }
  mho_free(j.scratch);
  mho_tile_free(&t);
  return ok ? MHO_OK
            : mho_fail(ei, MHO_ENOMEM, "no memory for the effective matrix of an array of %d x %d",
                       o->rows, o->cols);
}
