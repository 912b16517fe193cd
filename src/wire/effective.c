/* effective.c - the effective matrix of one array.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "mho/wire.h"
#include "wire/tile.h"

typedef struct job {
  mho_tile *t;
  char *scratch; /* [threads][each] */
  size_t each;
} job;

static void task(void *arg, int block, int thread) {
  job *j = arg;
  mho__tile_solve(j->t, block, j->scratch + (size_t)thread * j->each);
}

/* The options and conductances are checked as the solver checks them. */
static mho_err check(const mho_wire_options *o, const double *g, mho_errinfo *ei) {
  mho_wire *w;
  if (o->word_end != 0 || o->bit_end != 0)
    return mho_fail(ei, MHO_EINVAL,
                    "an effective matrix of lines whose ends have a resistance: "
                    "solve for the currents instead");
  mho_err err = mho_wire_new(o, &w, ei);
  if (!err)
    err = mho_wire_set(w, g, ei);
  mho_wire_free(w);
  return err;
}

mho_err mho_wire_effective(const mho_wire_options *o, const double *g, double *g_eff,
                           mho_errinfo *ei) {
  mho_err err = check(o, g, ei);
  if (err)
    return err;

  mho_tile t;
  job j = {.t = &t};
  size_t bytes = (size_t)o->rows * (size_t)o->cols * sizeof *g;
  double tolerance = o->tolerance > 0 ? o->tolerance : 1e-9;
  bool made = mho__tile_init(&t, o->rows, o->cols, o->r_word, o->r_bit, tolerance);
  j.each = mho__tile_scratch(&t);
  j.scratch = mho_alloc((size_t)mho_pool_threads(o->pool), j.each);

  if (made && j.scratch) {
    memcpy(t.g, g, bytes);
    mho__tile_prepare(&t, j.scratch);
    mho_pool_run(o->pool, mho__tile_blocks(&t), task, &j);
    memcpy(g_eff, t.out, bytes);
  } else {
    err = mho_fail(ei, MHO_ENOMEM, "no memory for the effective matrix of an array of %d x %d",
                   o->rows, o->cols);
  }

  mho_free(j.scratch);
  mho__tile_free(&t);
  return err;
}
