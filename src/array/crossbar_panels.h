/* crossbar_panels.h - how a crossbar's panels are made and freed with it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_CROSSBAR_PANELS_H
#define MHO_ARRAY_CROSSBAR_PANELS_H

#include "mho/model/array.h"

/** Make x->panels where they can be of use; nothing is packed yet. @return MHO_OK; MHO_ENOMEM. */
mho_err mho__crossbar_panels_new(mho_crossbar *x, mho_errinfo *ei);
void mho__crossbar_panels_free(mho_crossbar *x);

#endif
