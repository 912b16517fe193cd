/* relaxation.c - relaxation of an array's lines (see relaxation.h), in both precisions.
 *
 * Fused multiply-adds are allowed here, as in cg_kernel.c.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#pragma GCC optimize("fp-contract=fast")

#include "wire/relaxation.h"

#include <math.h>
#include <string.h>

#ifdef __AVX512F__
enum { RELAX_VECTOR_BYTES = 64 };
#else
enum { RELAX_VECTOR_BYTES = 32 };
#endif

mho_relax_plan mho__relax_plan_make(double rho, double tolerance, bool may_be_plain) {
  rho = fmin(fmax(rho, 1e-12), 1 - 1e-12);
  double mu = rho / (2 - rho), xi = mu / (1 + sqrt(1 - mu * mu)), want = tolerance * (1 - rho);
  double plain = log(want) / log(rho), combined = log(0.5 * want) / log(xi);

  bool choose_plain = may_be_plain && plain < 1.5 * combined; /* it moves less memory */
  double n = ceil(choose_plain ? plain : combined);
  return (mho_relax_plan){.n = 1 + (int)fmin(n, 1e6), .rho = rho, .plain = choose_plain};
}

/* v = B u. */
static void couple(int rows, int cols, const double *const co[], const double *u, double *v) {
  size_t n = (size_t)cols;

  /* row by row: the word line, and the bit lines' elimination from the top */
  for (size_t i = 0; i < (size_t)rows; i++) {
    const double *cw = co[MHO_RELAX_CW] + i * n, *caw = co[MHO_RELAX_CAW] + i * n;
    double *w = v + i * n, y = 0;
    for (size_t j = n; j-- > 0;)
      w[j] = y = caw[j] * u[i * n + j] + cw[j] * y;
    y = 0;
    for (size_t j = 0; j < n; j++)
      w[j] = y = w[j] + cw[j] * y;
    for (size_t j = 0; j < n; j++)
      w[j] = co[MHO_RELAX_TOP_A][i * n + j] * w[j] +
             (i ? co[MHO_RELAX_TOP][i * n + j] * v[(i - 1) * n + j] : 0);
  }

  /* the bit lines substituted back */
  for (size_t i = (size_t)rows - 1; i-- > 0;)
    for (size_t j = 0; j < n; j++)
      v[i * n + j] += co[MHO_RELAX_TOP][i * n + j] * v[(i + 1) * n + j];
}

double mho__relax_bound(int rows, int cols, const double *coefficients, double rho) {
  enum { POWERS = 8 };
  size_t cells = (size_t)rows * (size_t)cols;
  const double *co[MHO_RELAX_COEFFICIENTS];
  double *u = mho_alloc(2 * cells, sizeof *u);
  if (!u)
    return rho;

  for (int k = 0; k < MHO_RELAX_COEFFICIENTS; k++)
    co[k] = coefficients + (size_t)k * cells;
  double *v = u + cells;

  /* start from the slowest mode of an even array, whose quotients are rho everywhere */
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++)
      u[(size_t)i * (size_t)cols + (size_t)j] =
          cos(M_PI_2 * (i + 0.5) / (rows + 0.5)) * cos(M_PI_2 * (cols - j - 0.5) / (cols + 0.5));

  for (int power = 0; power < POWERS; power++) {
    double most = 0, before = rho;
    couple(rows, cols, co, u, v);
    for (size_t k = 0; k < cells; k++)
      most = fmax(most, v[k] / u[k]);
    rho = fmin(rho, most);
    if (power > 1 && rho > 0.99 * before)
      break;
    /* the second term stays positive where an open device couples nothing */
    for (size_t k = 0; k < cells; k++)
      u[k] = v[k] / most + 1e-3 * u[k];
  }

  mho_free(u);
  return rho;
}

size_t mho__relax_work(int rows, int cols, int lanes, bool plain) {
  size_t line = (size_t)cols * (size_t)lanes;
  return line * (3 + MHO_RELAX_ROWS) + line * (size_t)rows * (plain ? 1 : 3);
}

#define REAL    double
#define LANES   MHO_RELAX_LANES_DOUBLE
#define NAME(f) f##_double
#include "wire/relaxation_body.h"
#undef REAL
#undef LANES
#undef NAME

#define REAL    float
#define LANES   MHO_RELAX_LANES_FLOAT
#define NAME(f) f##_float
#include "wire/relaxation_body.h"
