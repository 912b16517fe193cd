/* digits.c - the 8 x 8 optical digits, embedded: a dataset that needs no file.
 *
 * E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
 * Repository, 1998, doi:10.24432/C50P49, CC BY 4.0. Here are its 1797 test images (13 writers); a
 * pixel counts the dark points, 0 to 16, of a 4 x 4 block of the 32 x 32 scan. The first 1437
 * train, the last 360 test.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "data/file.h"
#include "mho/model/dataset.h"

enum {
  SIDE = 8,
  PIXELS = SIDE * SIDE,
  TRAIN = 1437,
  TEST = 360,
  IMAGES = TRAIN + TEST,
  LEVELS = 16
};

static const char table[][1 + PIXELS + 1] = {
#include "digits_table.inc"
};
_Static_assert(MHO_COUNT(table) == IMAGES, "the table has all images");

/* A digit of base 17. */
static int value(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

static mho_err load(const mho_dataset_kind *kind, const void *params, const char *folder,
                    mho_dataset *out, mho_errinfo *ei) {
  uint8_t *pixel = mho_alloc(IMAGES, PIXELS + 1), *label = pixel + IMAGES * PIXELS;
  if (!pixel)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the digits");

  for (int i = 0; i < IMAGES; i++) {
    label[i] = (uint8_t)value(table[i][0]);
    for (int k = 0; k < PIXELS; k++)
      pixel[i * PIXELS + k] = (uint8_t)value(table[i][1 + k]);
  }

  *out = (mho_dataset){.train = {TRAIN, pixel, label},
                       .test = {TEST, pixel + TRAIN * PIXELS, label + TRAIN},
                       .features = PIXELS,
                       .classes = 10,
                       .width = SIDE,
                       .height = SIDE,
                       .channels = 1,
                       .scale = 1.0 / LEVELS,
                       .memory = pixel};
  SHA256Data(pixel, IMAGES * (PIXELS + 1), out->checksum);
  return MHO_OK;
}

const mho_dataset_kind mho_dataset_digits = {
    .entry = {.abi = MHO_ABI,
              .id = "digits",
              .title = "optical digits, 1437 + 360 images of 8 x 8, embedded",
              .source = "Alpaydin & Kaynak, UCI, 1998, doi:10.24432/C50P49 (CC BY 4.0)"},
    .load = load,
};
