/* compatible.h - whether the sections of an experiment fit together.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXPERIMENT_COMPATIBLE_H
#define MHO_EXPERIMENT_COMPATIBLE_H

#include "mho/experiment.h"

/** Check an experiment whose keys are all set from c. bare: the config is a stored one, which is
 * asked less, so that it opens. MHO_ECONFIG with file, line, key and cure. */
mho_err mho__experiment_fit(const mho_config *c, bool bare, mho_experiment *e, mho_errinfo *ei);

#endif
