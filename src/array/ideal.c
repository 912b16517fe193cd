/* ideal.c - the crossbar read without any error: y = x W, or x W^T when the columns are driven.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "array/product.h"

const mho_array_model mho_array_ideal = {
    .entry = {.abi = MHO_ABI, .id = "ideal", .title = "exact products", .equation = "I = G^T V"},
    .exact = true,
    .read = mho__array_product,
};
