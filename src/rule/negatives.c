/* negatives.c - samples that are none: with a wrong label, or blended of two.
 *
 * Partners are one random cycle, so that no image is blended with itself and all are equally often
 * blended in: S. Sattolo, Inf. Process. Lett. 22:315 (1986).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "rule/negatives.h"

#include <math.h>

int mho__wrong_label(int classes, int label, double u) {
  int other = mho_min((int)(u * (classes - 1)), classes - 2);
  return other + (other >= label);
}

void mho__partners(int n, const float *u, int *partner) {
  for (int i = 0; i < n; i++)
    partner[i] = i;

  for (int i = n - 1; i > 0; i--) {
    int j = mho_min((int)(u[i] * (float)i), i - 1), was = partner[i];
    partner[i] = partner[j];
    partner[j] = was;
  }
}

/* A pixel of a channel, 0 outside. */
static double pixel(const mho_layer *layer, const mho_real *x, int row, int col) {
  bool inside = row >= 0 && row < layer->height && col >= 0 && col < layer->width;
  return inside ? (double)x[row * layer->width + col] : 0;
}

/* Between four pixels. */
static double between(const mho_layer *layer, const mho_real *x, double row, double col) {
  int r = (int)floor(row), c = (int)floor(col);
  double down = row - r, right = col - c;
  return (1 - down) * ((1 - right) * pixel(layer, x, r, c) + right * pixel(layer, x, r, c + 1)) +
         down * ((1 - right) * pixel(layer, x, r + 1, c) + right * pixel(layer, x, r + 1, c + 1));
}

void mho__image_turned(const mho_layer *layer, double angle, const mho_real *x, mho_real *out) {
  double cosine = cos(angle), sine = sin(angle);
  double middle_row = 0.5 * (layer->height - 1), middle_col = 0.5 * (layer->width - 1);
  size_t pixels = (size_t)layer->height * (size_t)layer->width;

  for (int k = 0; k < layer->channels; k++)
    for (int i = 0; i < layer->height; i++)
      for (int j = 0; j < layer->width; j++) {
        double row = i - middle_row, col = j - middle_col;
        size_t at = (size_t)k * pixels + (size_t)(i * layer->width + j);
        out[at] =
            (mho_real)between(layer, x + (size_t)k * pixels, middle_row + cosine * row - sine * col,
                              middle_col + sine * row + cosine * col);
      }
}
