/* crossbar_panels.c - a crossbar's effective matrix in panels, for products of many samples (see
 * mho_panels_gemm).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdatomic.h>

#include "array/crossbar_panels.h"
#include "array/weights.h"
#include "mho/model/num.h"

/* [0] of the matrix, [1] of its transpose. */
struct mho_crossbar_panels {
  mho_real *b[2];       /* [rows x cols], NULL until they are needed */
  atomic_bool fresh[2]; /* as the matrix is now */
  bool due[2];          /* being filled */
};

static int inputs(const mho_crossbar *x, bool transposed) {
  return transposed ? x->cols : x->rows;
}
static int outputs(const mho_crossbar *x, bool transposed) {
  return transposed ? x->rows : x->cols;
}

mho_err mho__crossbar_panels_new(mho_crossbar *x, mho_errinfo *ei) {
  if (!mho_panels_pay(x->cols, x->rows) && !mho_panels_pay(x->rows, x->cols))
    return MHO_OK;
  x->panels = mho_alloc(1, sizeof *x->panels);
  if (!x->panels)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a crossbar of %d x %d", x->rows, x->cols);
  return MHO_OK;
}

void mho__crossbar_panels_free(mho_crossbar *x) {
  if (!x->panels)
    return;
  mho_free(x->panels->b[0]);
  mho_free(x->panels->b[1]);
  mho_free(x->panels);
}

static bool is_fresh(const mho_crossbar_panels *p, bool transposed) {
  return atomic_load_explicit(&p->fresh[transposed], memory_order_relaxed);
}

void mho_crossbar_unpack(const mho_crossbar *x) {
  mho_crossbar_panels *p = x->panels;
  if (!p)
    return;
  /* written only where they are fresh: many tasks come here, and few have to write */
  for (int way = 0; way < 2; way++)
    if (is_fresh(p, way))
      atomic_store_explicit(&p->fresh[way], false, memory_order_relaxed);
}

bool mho_crossbar_pack(const mho_crossbar *x, bool transposed) {
  mho_crossbar_panels *p = x->panels;
  int n = outputs(x, transposed), k = inputs(x, transposed);
  if (!p || x->weights->wired || !x->model->exact || p->fresh[transposed] || !mho_panels_pay(n, k))
    return false;
  if (!p->b[transposed])
    p->b[transposed] = mho_alloc((size_t)n * (size_t)k, sizeof(mho_real));
  p->due[transposed] = p->b[transposed] != NULL; /* without memory products take the other way */
  return p->due[transposed];
}

void mho_crossbar_pack_slab(const mho_crossbar *x, bool transposed, int slab, int slabs) {
  const mho_crossbar_panels *p = x->panels;
  if (!p || !p->due[transposed])
    return;
  int n = outputs(x, transposed), k = inputs(x, transposed);
  int all = (n + MHO_PANEL - 1) / MHO_PANEL, each = (all + slabs - 1) / slabs;
  mho_panels_fill(transposed, n, k, x->weights->programmed, x->cols, slab * each, each,
                  p->b[transposed]);
}

void mho_crossbar_packed(const mho_crossbar *x) {
  mho_crossbar_panels *p = x->panels;
  if (!p)
    return;
  for (int way = 0; way < 2; way++)
    if (p->due[way]) {
      p->due[way] = false;
      p->fresh[way] = true;
    }
}

const mho_real *mho_crossbar_panel(const mho_crossbar *x, bool transposed) {
  const mho_crossbar_panels *p = x->panels;
  if (!p || x->weights->wired || !is_fresh(p, transposed))
    return NULL;
  return p->b[transposed];
}
