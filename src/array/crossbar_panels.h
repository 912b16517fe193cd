/* crossbar_panels.h - the part of a crossbar's life that its panels share.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_CROSSBAR_PANELS_H
#define MHO_ARRAY_CROSSBAR_PANELS_H

#include "mho/array.h"

/** Make x->panels where they can be of use; nothing is packed yet. @return MHO_OK; MHO_ENOMEM. */
mho_err mho_crossbar_panels_new(mho_crossbar *x, mho_errinfo *ei);
void mho_crossbar_panels_free(mho_crossbar *x);

#endif
