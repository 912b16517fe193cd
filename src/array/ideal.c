/* ideal.c - the crossbar read without any error: y = x W, or x W^T when the columns are driven.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/product.h"

const mho_array_model mho_array_ideal = {
    .entry = {.abi = MHO_ABI, .id = "ideal", .title = "exact products", .equation = "I = G^T V"},
    .exact = true,
    .read = mho__array_product,
};

/* ---------------------------------------------------------------- in place of another model */

mho_err mho_crossbar_read_ideally(mho_crossbar *x, const mho_array_config *config, void *params,
                                  mho_errinfo *ei) {
  bool bent = mho_crossbar_law(x) != NULL;
  if (x->model->detach)
    x->model->detach(x);
  if (!bent) {
    x->model = &mho_array_ideal;
    return MHO_OK;
  }

  /* a model that shows the law of the cells has ideal circuits at the defaults of its keys */
  for (int k = 0; k < x->n_banks; k++)
    x->bank[k]->config.read_noise.law = MHO_READ_NOISE_NONE;
  mho_params_init(x->model->entry.params, params);
  x->params = params;
  if (x->model->attach) {
    mho_crossbar_options o = {.array_config = config};
    mho_err err = x->model->attach(x, &o, ei);
    if (err)
      return err;
  }

  mho_crossbar_refresh(x, 0, mho_crossbar_cells(x));
  return MHO_OK;
}
