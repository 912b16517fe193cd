/* png.h - small pictures within a page.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_PNG_H
#define MHO_REPORT_PNG_H

#include <stdint.h>
#include <stdio.h>

#include "mho/base.h"

/** Write bytes in base64 (RFC 4648). */
void mho__base64(FILE *out, const uint8_t *bytes, size_t n);
/** Bytes of a picture, [n], from a line of two hexadecimal digits each; false where there are
 *  others, or not so many. */
bool mho__png_pixels(const char *text, size_t n, uint8_t *out);
/** Write a picture as "data:image/png;base64,...".
 *  @param pixels  [channels x height x width], one channel is gray, three are red, green, blue.
 *  @return MHO_OK; MHO_ENOMEM. */
mho_err mho__png_data(FILE *out, int width, int height, int channels, const uint8_t *pixels,
                      mho_errinfo *ei);

#endif
