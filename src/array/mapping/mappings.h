/* mappings.h - mappings that are chosen beside device.mapping, by the keys of schemes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_ARRAY_MAPPING_MAPPINGS_H
#define MHO_ARRAY_MAPPING_MAPPINGS_H

#include "mho/model/array.h"

extern const mho_mapping mho_mapping_differential, mho_mapping_reference, mho_mapping_offset;
extern const mho_mapping mho_mapping_one_sided;

#endif
