/* crossbar_impl.h - what the files of a crossbar share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_CROSSBAR_IMPL_H
#define MHO_ARRAY_CROSSBAR_IMPL_H

#include "array/weights.h"

/** Whether the second bank is a reference or a fixed current, which no pulse reaches. */
static inline bool mho__crossbar_has_reference(const mho_crossbar *x) {
  return x->mapping == MHO_MAPPING_REFERENCE || x->mapping == MHO_MAPPING_OFFSET;
}

#endif
