/* parts.c - what programs ask of a dataset: its parts and sizes.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/data.h"

const mho_images *mho_dataset_part(const mho_dataset *d, mho_part part) {
  switch (part) {
  case MHO_PART_TRAIN:
    return &d->train;
  case MHO_PART_VALIDATION:
    return &d->validation;
  default:
    return &d->test;
  }
}

int mho_images_count(const mho_images *images) {
  return images->n;
}

void mho_dataset_sizes(const mho_dataset *d, int *features, int *outputs) {
  *features = d->features;
  *outputs = mho_dataset_outputs(d);
}
