/* study_axes.h - what a study file varies.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_STUDY_AXES_H
#define MHO_STUDY_AXES_H

#include "study/study_yaml.h"

/** Read the entry `points`: a list of what each point sets.
 *  @return MHO_OK; MHO_ECONFIG with the place; MHO_ENOMEM. */
mho_err mho__study_read_points(const study_reader *r, const yaml_node_t *node);
/** Read the entry `vary`: keys and their values or ranges. As mho__study_read_points. */
mho_err mho__study_read_vary(const study_reader *r, const yaml_node_t *node);
/** Free what an axis owns. */
void mho__study_axis_free(study_axis *a);

#endif
